#include "model/depth_decoder.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <numeric>
#include <string>

#include "kernels/linear.h"

namespace antiphon {

DepthDecoder::DepthDecoder(const ModelConfig& config, at::Device device, WeightReader* reader)
    : shape_(config.depth),
      end_of_audio_(config.end_of_audio()),
      device_(device),
      position_(reader->Table("depth.position", config.codebooks(), shape_.width)),
      norm_(reader->Vector("depth.norm", shape_.width)) {
  for (int64_t k = 0; k < config.codebooks(); ++k) {
    const std::string suffix = std::to_string(k);
    const int64_t size = config.codebook_sizes[k];
    input_.push_back(reader->Matrix("depth.input." + suffix, shape_.width, config.backbone.width));
    head_.push_back(reader->Matrix("depth.head." + suffix, k == 0 ? size + 1 : size, shape_.width));
    if (k + 1 < config.codebooks())
      embed_.push_back(reader->Table("depth.embed." + suffix, size, shape_.width));
  }
  for (int64_t i = 0; i < shape_.layers; ++i) {
    layers_.push_back(ReadBlock("depth.layers." + std::to_string(i) + ".", shape_, reader));
  }
}

at::Tensor DepthDecoder::DrawFrames(const at::Tensor& states, const LanguageModel::DrawCode& draw) const {
  const int64_t rows = states.size(0);
  const auto codebooks = static_cast<int64_t>(head_.size());
  at::Tensor frames = at::zeros({rows, codebooks}, at::kLong);
  if (rows == 0) return frames;
  int64_t* codes = frames.data_ptr<int64_t>();

  // A row is a sequence of K positions, and a page of K positions is its cache. Rows whose speech is over
  // drop out.
  std::vector<at::Tensor> keys, values;
  for (size_t i = 0; i < layers_.size(); ++i) {
    keys.push_back(MakePages(shape_, rows, codebooks, device_));
    values.push_back(MakePages(shape_, rows, codebooks, device_));
  }
  std::vector<int64_t> speaking(rows);
  std::iota(speaking.begin(), speaking.end(), 0);
  at::Tensor speaking_states = states;

  for (int64_t k = 0; k < codebooks && !speaking.empty(); ++k) {
    const auto n = static_cast<int64_t>(speaking.size());
    std::vector<SequenceSpan> spans;
    std::vector<int64_t> within(n);  // 0 to n - 1
    std::vector<int64_t> previous;   // the codes drawn one codebook before
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = speaking[i];
      spans.push_back({.first_row = i, .rows = 1, .context = k, .pages = {static_cast<int32_t>(row)}});
      within[i] = i;
      if (k > 0) previous.push_back(codes[row * codebooks + k - 1]);
    }

    at::Tensor x = Linear(speaking_states, input_[k]);
    AddEmbedding(position_, within, std::vector<int64_t>(n, k), &x);
    if (k > 0) AddEmbedding(embed_[k - 1], within, previous, &x);
    for (size_t i = 0; i < layers_.size(); ++i) {
      RunBlock(layers_[i], shape_, {.spans = spans}, &keys[i], &values[i], &x);
    }
    const at::Tensor logits = Linear(RmsNorm(x, norm_, shape_.norm_eps), head_[k]).cpu();
    for (int64_t i = 0; i < n; ++i) codes[speaking[i] * codebooks + k] = draw(speaking[i], k, logits[i]);

    if (k == 0) {
      std::erase_if(speaking, [&](int64_t row) { return codes[row * codebooks] == end_of_audio_; });
      if (static_cast<int64_t>(speaking.size()) < rows) {
        speaking_states = states.index_select(0, at::tensor(speaking, at::kLong).to(device_));
      }
    }
  }
  return frames;
}

}  // namespace antiphon
