#include "bench/engine_share.h"

#include <chrono>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "antiphon/engine.h"
#include "bench/allocations.h"
#include "common/clock.h"
#include "engine/engine_loop.h"
#include "engine/sequence_port.h"
#include "model/audio_codec.h"
#include "model/text_tokenizer.h"

namespace antiphon::bench {
namespace {

constexpr int kWarmUpSteps = 50;
constexpr int kStepsEach = 20;  // run at most for each step that counts

// What the calls of model and codec took since the last Take.
class Meter {
 public:
  struct Reading {
    double ms = 0;
    int64_t allocations = 0;
  };

  // Counts what `call` takes; with a negative sign within one that counts, to leave a callback out.
  template <typename Call>
  auto Count(double sign, const Call& call) {
    const MemoryUse before = MemoryUsedSoFar();
    const auto start = std::chrono::steady_clock::now();
    auto result = call();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    reading_.ms += sign * took.count();
    reading_.allocations += static_cast<int64_t>(sign) * (MemoryUsedSoFar() - before).allocations;
    return result;
  }

  Reading Take() { return std::exchange(reading_, {}); }

 private:
  Reading reading_;
};

class MeteredModel final : public LanguageModel {
 public:
  MeteredModel(const LanguageModel& model, Meter* meter) : model_(model), meter_(*meter) {}

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override {
    return model_.MakePool(pages, page_positions, format);
  }
  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override {
    return meter_.Count(1, [&] { return model_.Forward(batch, pool); });
  }
  void CloseGap(const SequenceGap& gap, KvPool& pool) const override { model_.CloseGap(gap, pool); }
  at::Tensor SymbolLogits(const at::Tensor& states) const override {
    return meter_.Count(1, [&] { return model_.SymbolLogits(states); });
  }
  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override {
    const DrawCode left_out = [&](int64_t row, int64_t codebook, const at::Tensor& logits) {
      return meter_.Count(-1, [&] { return draw(row, codebook, logits); });
    };
    return meter_.Count(1, [&] { return model_.DrawFrames(states, left_out); });
  }
  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override {
    return meter_.Count(1, [&] { return model_.WordScores(states, words); });
  }
  const ModelConfig& config() const override { return model_.config(); }
  uint64_t parameters() const override { return model_.parameters(); }

 private:
  const LanguageModel& model_;
  Meter& meter_;
};

class MeteredCodec final : public AudioCodec {
 public:
  MeteredCodec(const AudioCodec& codec, Meter* meter) : codec_(codec), meter_(*meter) {}

  AudioHearingState MakeHearingState() const override { return codec_.MakeHearingState(); }
  AudioEncoderState MakeEncoderState() const override { return codec_.MakeEncoderState(); }
  AudioDecoderState MakeDecoderState() const override { return codec_.MakeDecoderState(); }
  at::Tensor Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const override {
    return meter_.Count(1, [&] { return codec_.Hear(states, samples); });
  }
  at::Tensor Encode(std::span<AudioEncoderState* const> states, const at::Tensor& samples) const override {
    return meter_.Count(1, [&] { return codec_.Encode(states, samples); });
  }
  std::vector<at::Tensor> Decode(std::span<AudioDecoderState* const> states,
                                 const at::Tensor& codes) const override {
    return meter_.Count(1, [&] { return codec_.Decode(states, codes); });
  }
  bool has_manners() const override { return codec_.has_manners(); }
  int64_t sample_rate() const override { return codec_.sample_rate(); }
  int64_t frame_samples() const override { return codec_.frame_samples(); }
  const std::vector<int64_t>& codebook_sizes() const override { return codec_.codebook_sizes(); }
  int64_t decoder_delay_samples() const override { return codec_.decoder_delay_samples(); }
  uint64_t parameters() const override { return codec_.parameters(); }

 private:
  const AudioCodec& codec_;
  Meter& meter_;
};

// The owner of a sequence, on the engine's thread: asks again whenever it has been answered.
class Asker {
 public:
  Asker(EngineLoop& loop, const std::vector<int64_t>& pieces)
      : pieces_(pieces),
        port_(std::make_shared<SequencePort>(PortLimits{},
                                             [this](uint64_t, const SequenceEvent& event) { Told(event); })) {
    SequenceOptions options;
    options.semantic_turns = false;
    options.max_response_images = 0;
    loop.Add(port_, options);
  }
  ~Asker() { port_->Close(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  Status AskIfIdle() {
    if (!error_.ok() || !std::exchange(idle_, false)) return error_;
    const TimePoint now = SystemClock::Get().Now();
    if (Status typed = port_->Post(TypedText{.text = "", .pieces = pieces_, .received = now}); !typed.ok())
      return typed;
    return port_->Post(TurnEndRequest{.received = now});
  }

  // Since the last call: a frame of speech was told.
  bool TakeSpoke() { return std::exchange(spoke_, false); }

 private:
  void Told(const SequenceEvent& event) {
    spoke_ |= std::holds_alternative<ResponseAudio>(event);
    if (const auto* done = std::get_if<ResponseDone>(&event)) {
      idle_ = true;
      error_ = done->error;
    }
    if (const auto* refused = std::get_if<InputRefused>(&event)) error_ = refused->error;
  }

  const std::vector<int64_t>& pieces_;
  bool idle_ = true;
  bool spoke_ = false;
  Status error_;
  const std::shared_ptr<SequencePort> port_;
};

struct Modules {
  std::unique_ptr<AudioCodec> codec;
  TextTokenizer tokenizer;
};

Result<Modules> Load(const std::string& folder, const ModelConfig& config) {
  const Result<Safetensors> weights = Safetensors::Open(folder + "/audio_codec.safetensors");
  if (!weights.ok()) return weights.status();
  Result<std::unique_ptr<AudioCodec>> codec = AudioCodec::Load(*weights, config, at::kCPU);
  if (!codec.ok()) return codec.status();
  Result<TextTokenizer> tokenizer = TextTokenizer::Load(folder + "/tokenizer.model", config.symbols);
  if (!tokenizer.ok()) return tokenizer.status();
  return Modules{std::move(codec).value(), std::move(tokenizer).value()};
}

}  // namespace

Result<EngineShare> MeasureEngineShare(const std::string& folder, const LanguageModel& model, int sequences,
                                       int steps) {
  const Result<Modules> modules = Load(folder, model.config());
  if (!modules.ok()) return modules.status();
  const Result<std::vector<int64_t>> pieces = modules->tokenizer.Encode("count from one to ten");
  if (!pieces.ok()) return pieces.status();
  Meter meter;
  const MeteredModel metered_model(model, &meter);
  const MeteredCodec metered_codec(*modules->codec, &meter);
  EngineOptions options;
  options.max_sequences = sequences;
  EngineLoop loop({metered_model, metered_codec, modules->tokenizer, SystemClock::Get()}, options);
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < sequences; ++i) askers.push_back(std::make_unique<Asker>(loop, *pieces));

  EngineShare share{};
  MemoryUse all;
  int64_t engine_allocations = 0;
  int64_t speaking = 0;
  int counted = -kWarmUpSteps;
  for (int step = 0; step < kStepsEach * (steps + kWarmUpSteps) && counted < steps; ++step) {
    for (const auto& asker : askers) {
      if (Status asked = asker->AskIfIdle(); !asked.ok()) return asked;
      (void)asker->TakeSpoke();
    }
    (void)meter.Take();
    const MemoryUse before = MemoryUsedSoFar();
    const auto start = std::chrono::steady_clock::now();
    loop.RunOnce();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const MemoryUse used = MemoryUsedSoFar() - before;
    const Meter::Reading arithmetic = meter.Take();
    int spoke = 0;
    for (const auto& asker : askers) spoke += asker->TakeSpoke() ? 1 : 0;
    if (spoke == 0 || counted++ < 0) continue;
    speaking += spoke;
    share.step.Add(took.count());
    share.engine.Add(took.count() - arithmetic.ms);
    all.allocations += used.allocations;
    all.page_faults += used.page_faults;
    engine_allocations += used.allocations - arithmetic.allocations;
  }
  if (counted < steps) return Unavailable("the model hardly speaks: too few of the steps made a frame");
  share.speaking = static_cast<double>(speaking) / steps;
  share.allocations = static_cast<double>(all.allocations) / steps;
  share.engine_allocations = static_cast<double>(engine_allocations) / steps;
  share.page_faults = static_cast<double>(all.page_faults) / steps;
  return share;
}

}  // namespace antiphon::bench
