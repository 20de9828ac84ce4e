#include "tests/engine/fake_model.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <map>
#include <stdexcept>

#include "kernels/paged_gap.h"

namespace antiphon {
namespace {

constexpr int64_t kHash = 1 << 20;  // small enough to be exact in a float
constexpr int64_t kRecord = 3;      // of a position, in the keys: symbol, heard, spoken
constexpr float kCertain = 50.0f;   // the logit of what the model wants

enum Feature : int64_t { kMode, kPlace, kSeed, kFeatures };
enum Mode : int64_t { kOutside, kListening, kAnswering };

int64_t Mix(int64_t hash, int64_t value) { return (hash * 31 + value + 7) % kHash; }

// A row's codes as one number, by row.
std::map<int64_t, int64_t> Numbers(const ChannelCodes& channel, const std::vector<int64_t>& sizes) {
  std::map<int64_t, int64_t> numbers;
  const size_t codebooks = sizes.size();
  for (size_t i = 0; i < channel.rows.size(); ++i) {
    int64_t number = 0;
    for (size_t k = codebooks; k-- > 0;) number = number * sizes[k] + channel.codes[i * codebooks + k];
    numbers[channel.rows[i]] = 1 + number;
  }
  return numbers;
}

int64_t NumberOf(const std::map<int64_t, int64_t>& numbers, int64_t row) {
  const auto found = numbers.find(row);
  return found == numbers.end() ? 0 : found->second;
}

}  // namespace

int64_t FakeModel::HeardPiece(int64_t code) const {
  return kFirstPiece + code % (config_.symbols.text_pieces - kFirstPiece);
}

// Of a picture the end is not the model's to write: the grammar does.
int64_t FakeModel::WantedInAnswer(int64_t place, int64_t seed) const {
  if (place < answer_pieces) {
    if (answer_text.size() == static_cast<size_t>(answer_pieces)) {
      return answer_text[static_cast<size_t>(place)];
    }
    return kFirstPiece + (seed + place) % (config_.symbols.text_pieces - kFirstPiece);
  }
  const int64_t at = (place - answer_pieces) % config_.image.symbols();
  const int64_t behind = place - answer_pieces - answer_images * config_.image.symbols();
  if (behind >= static_cast<int64_t>(answer_manner.size())) return config_.symbols.end;
  if (behind >= 0) return answer_manner[static_cast<size_t>(behind)];
  return at == 0 ? config_.image.begin : config_.image.first_code + (seed + at) % config_.image.codebook_size;
}

KvPool FakeModel::MakePool(int64_t pages, int64_t page_positions, KvFormat) const {
  // Full of nonsense: whoever reads what was not written notices.
  const at::Tensor keys = at::full({pages, page_positions, 1, kRecord}, 1e6f);
  return {page_positions, {keys}, {keys.clone()}};
}

at::Tensor FakeModel::Forward(const RaggedBatch& batch, KvPool& pool) const {
  if (on_forward) on_forward(batch);
  const auto heard = Numbers(batch.heard, config_.codebook_sizes);
  const auto spoken = Numbers(batch.spoken, config_.codebook_sizes);
  at::Tensor states = at::zeros({batch.rows(), kFeatures});
  for (const SequenceSpan& span : batch.spans) {
    const auto record = [&](int64_t position) {
      return pool.keys[0]
          .select(0, span.pages.at(static_cast<size_t>(position / pool.page_positions)))
          .select(0, position % pool.page_positions)
          .data_ptr<float>();
    };
    int64_t hash = 0;
    int64_t seed = 0;
    int64_t mode = kOutside;
    int64_t place = 0;
    for (int64_t position = 0; position < span.context + span.rows; ++position) {
      const int64_t row = span.first_row + position - span.context;
      float* values = record(position);
      if (position >= span.context) {
        values[0] = static_cast<float>(batch.symbols[static_cast<size_t>(row)]);
        values[1] = static_cast<float>(NumberOf(heard, row));
        values[2] = static_cast<float>(NumberOf(spoken, row));
      }
      for (int64_t i = 0; i < kRecord; ++i) hash = Mix(hash, std::lround(values[i]));
      const int64_t symbol = std::lround(values[0]);
      ++place;
      if (symbol == config_.symbols.user) mode = kListening;
      if (symbol == config_.symbols.assistant) {
        mode = kAnswering;
        place = 0;
        seed = hash;
      }
      if (mode == kListening) place = (std::lround(values[1]) - 1) % config_.codebook_sizes[0];
      if (position >= span.context) {
        float* state = states.data_ptr<float>() + row * kFeatures;
        state[kMode] = static_cast<float>(mode);
        state[kPlace] = static_cast<float>(place);
        state[kSeed] = static_cast<float>(mode == kAnswering ? (seed + hash) % kHash : hash);
      }
    }
  }
  return states;
}

void FakeModel::CloseGap(const SequenceGap& gap, KvPool& pool) const {
  if (on_close_gap) on_close_gap(gap);
  antiphon::CloseGap(gap, nullptr, &pool.keys[0]);  // what it keeps of a position does not depend on where
  antiphon::CloseGap(gap, nullptr, &pool.values[0]);
}

at::Tensor FakeModel::SymbolLogits(const at::Tensor& states) const {
  at::Tensor logits = at::zeros({states.size(0), config_.symbols.vocab_size});
  for (int64_t row = 0; row < states.size(0); ++row) {
    const float* state = states.data_ptr<float>() + row * kFeatures;
    const int64_t place = std::lround(state[kPlace]);
    int64_t wanted = config_.symbols.pad;
    if (std::lround(state[kMode]) == kAnswering) {
      wanted = WantedInAnswer(place, std::lround(state[kSeed]));
    } else if (place == 1) {
      wanted = config_.symbols.assistant;
    } else if (place > 1) {
      wanted = HeardPiece(place);
    }
    logits.data_ptr<float>()[row * config_.symbols.vocab_size + wanted] = kCertain;
  }
  return logits;
}

at::Tensor FakeModel::DrawFrames(const at::Tensor& states, const DrawCode& draw) const {
  at::Tensor codes = at::zeros({states.size(0), config_.codebooks()}, at::kLong);
  for (int64_t row = 0; row < states.size(0); ++row) {
    const float* state = states.data_ptr<float>() + row * kFeatures;
    const int64_t frame = std::lround(state[kPlace]) - config_.speech_lead;
    const int64_t seed = std::lround(state[kSeed]);
    for (int64_t k = 0; k < config_.codebooks(); ++k) {
      const int64_t size = config_.codebook_sizes[static_cast<size_t>(k)];
      at::Tensor logits = at::zeros({size + (k == 0 ? 1 : 0)});
      const bool over = k == 0 && frame >= answer_frames;
      logits.data_ptr<float>()[over ? size : (seed + frame * (k + 3)) % size] = kCertain;
      const int64_t code = draw(row, k, logits);
      codes.data_ptr<int64_t>()[row * config_.codebooks() + k] = code;
      if (k == 0 && code == size) break;
    }
  }
  return codes;
}

std::vector<std::vector<float>> FakeModel::WordScores(const at::Tensor& states,
                                                      std::span<const std::span<const int64_t>> words) const {
  std::vector<std::vector<float>> scores(words.size());
  if (frames_per_word == 0) return scores;
  for (size_t row = 0; row < words.size(); ++row) {
    const float* state = states.data_ptr<float>() + static_cast<int64_t>(row) * kFeatures;
    const auto said =
        static_cast<size_t>((std::lround(state[kPlace]) - config_.speech_lead) / frames_per_word);
    for (size_t word = 0; word < words[row].size(); ++word) {
      scores[row].push_back(word == said ? kCertain : 0.0f);
    }
  }
  return scores;
}

std::vector<float> FakeCodec::Sound(int64_t code) const {
  return std::vector<float>(static_cast<size_t>(frame_samples_), static_cast<float>(code) / 100.0f);
}

at::Tensor FakeCodec::Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const {
  const auto streams = static_cast<int64_t>(states.size());
  at::Tensor codes = at::zeros({streams, static_cast<int64_t>(codebook_sizes_.size())}, at::kLong);
  for (int64_t row = 0; row < streams; ++row) {
    AudioHearingState& state = *states[static_cast<size_t>(row)];
    float& history = *state.history.data_ptr<float>();
    const int64_t sound = std::lround(samples.select(0, row).data_ptr<float>()[0] * 100.0f);
    int64_t* code = codes.data_ptr<int64_t>() + row * codes.size(1);
    code[0] = sound % codebook_sizes_[0];
    code[1] = state.frames % codebook_sizes_[1];
    code[2] = std::lround(history) % codebook_sizes_[2];
    history = static_cast<float>((std::lround(history) * 5 + sound) % 997);
    ++state.frames;
  }
  return codes;
}

std::vector<at::Tensor> FakeCodec::Decode(std::span<AudioDecoderState* const> states,
                                          const at::Tensor& codes) const {
  const auto streams = static_cast<int64_t>(states.size());
  std::vector<at::Tensor> decoded;
  for (int64_t row = 0; row < streams; ++row) {
    AudioDecoderState& state = *states[static_cast<size_t>(row)];
    float& history = *state.history.data_ptr<float>();
    const int64_t length = SamplesAt(state.manner.speed, frame_samples_);
    float* sample = decoded.emplace_back(at::zeros({length})).data_ptr<float>();
    sample[length - 1] = state.manner.voice == SpeechVoice::kLow ? -1.0f : 0.0f;
    const int64_t* code = codes.data_ptr<int64_t>() + row * codes.size(1);
    for (int64_t k = 0; k < codes.size(1); ++k) sample[k] = static_cast<float>(code[k]) / 100.0f;
    sample[codes.size(1)] = static_cast<float>(state.frames) / 100.0f;
    sample[codes.size(1) + 1] = history / 1000.0f;
    history = static_cast<float>((std::lround(history) * 5 + code[0]) % 997);
    ++state.frames;
  }
  return decoded;
}

Result<std::vector<int>> FakeImageCodec::Encode(const Image& picture) const {
  if (broken) throw std::runtime_error("no such kernel");
  std::vector<int> codes;
  const int64_t cell = shape_.side / shape_.grid;
  for (int64_t code = 0; code < shape_.codes(); ++code) {
    const int64_t pixel = code / shape_.grid * cell * shape_.side + code % shape_.grid * cell;
    codes.push_back(picture.rgb.at(static_cast<size_t>(3 * pixel)) % static_cast<int>(shape_.codebook_size));
  }
  return codes;
}

Result<Image> FakeImageCodec::Decode(std::span<const int> codes) const {
  if (broken) throw std::runtime_error("no such kernel");
  const int side = static_cast<int>(shape_.side);
  Image picture{.width = side, .height = side, .rgb = {}};
  const int64_t cell = shape_.side / shape_.grid;
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t column = 0; column < side; ++column) {
      const auto code = static_cast<size_t>(row / cell * shape_.grid + column / cell);
      const int value = code < codes.size() ? codes[code] : 255;
      picture.rgb.insert(picture.rgb.end(), 3, static_cast<uint8_t>(value));
    }
  }
  return picture;
}

}  // namespace antiphon
