#include <string>
#include <variant>

#include "engine/recording.h"
#include "tests/fuzz/recording_model.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {
namespace {

void CheckCodes(const std::vector<int64_t>& codes, int64_t more, const ModelConfig& config) {
  Promise(codes.empty() || codes.size() == config.codebook_sizes.size());
  for (size_t k = 0; k < codes.size(); ++k) {
    Promise(codes[k] >= 0 && codes[k] < config.codebook_sizes[k] + more);
  }
}

void CheckSymbol(int64_t symbol, const ModelConfig& config) {
  Promise(symbol >= 0 && symbol < config.symbols.vocab_size);
}

// What a replay relies on.
struct Checker {
  const ModelConfig& config;

  void operator()(const RecordedStand& stand) const {
    Promise(!stand.stream.awaits_output);
    CheckSymbol(stand.stream.next_symbol, config);
    CheckCodes(stand.stream.next_spoken, 0, config);
    Promise(stand.stream.image_codes <= config.image.codes());
    for (const int64_t piece : stand.answer) CheckSymbol(piece, config);
  }
  void operator()(const RecordedSampling& recorded) const {
    Promise(recorded.sampling.temperature >= 0 && recorded.sampling.temperature <= 2);
    Promise(recorded.sampling.top_p > 0 && recorded.sampling.top_p <= 1);
    Promise(recorded.sampling.top_k >= 0);
  }
  void operator()(const RecordedInputs& inputs) const {
    Promise(!inputs.positions.empty());
    for (const StreamPosition& position : inputs.positions) {
      CheckSymbol(position.symbol, config);
      CheckCodes(position.heard, 0, config);
      CheckCodes(position.spoken, 0, config);
      Promise(!position.has_output());
    }
  }
  void operator()(const RecordedFrame& frame) const {
    Promise(static_cast<int64_t>(frame.samples.size()) == config.frame_samples);
    Promise(frame.threshold >= 0 && frame.threshold <= 1);
    CheckSymbol(frame.symbol, config);
    CheckCodes(frame.codes, 0, config);
  }
  void operator()(const RecordedAnswer& answer) const {
    Promise(answer.position < config.max_positions);
    CheckSymbol(answer.symbol, config);
    CheckCodes(answer.codes, 1, config);
  }
  void operator()(const RecordedCut& cut) const {
    Promise(cut.length >= 0 && cut.length <= config.max_positions);
  }
  void operator()(const RecordedGap& gap) const {
    Promise(gap.first < config.max_positions && gap.rows < config.max_positions);
  }
  void operator()(const RecordedEnd&) const { Promise(false); }
};

}  // namespace

void ReadRecordedSession(std::string_view bytes) {
  static const ModelConfig config = RecordingModelConfig();
  Result<Recording> recording = Recording::Read(std::string(bytes), RecordingModel(), config);
  if (!recording.ok()) return Promise(!recording.status().message().empty());
  while (const auto operation = recording->Next()) std::visit(Checker{config}, *operation);
}

}  // namespace antiphon::fuzz
