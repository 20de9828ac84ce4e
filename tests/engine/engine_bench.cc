#include "tests/engine/engine_bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <utility>
#include <variant>

namespace antiphon {
namespace {

constexpr int kEndless = 5000;

std::string Name(TurnEndCause cause) {
  constexpr const char* kNames[] = {"model", "commit", "silence", "length"};
  return kNames[static_cast<int>(cause)];
}

std::string Name(ResponseEnd end) {
  constexpr const char* kNames[] = {"completed", "cancelled", "incomplete", "failed"};
  return kNames[static_cast<int>(end)];
}

std::string Video(int shown, int dropped) {
  return shown + dropped == 0 ? "" : fmt::format(" video {}-{}", shown, dropped);
}

std::string Images(int count) { return count == 0 ? "" : fmt::format("+{} images", count); }

std::string Functions(int results, int pieces) {
  return results + pieces == 0 ? "" : fmt::format(" functions {}-{}", results, pieces);
}

std::string Calls(int count, int pieces) {
  return count + pieces == 0 ? "" : fmt::format("+{} calls of {}", count, pieces);
}

ModelConfig ConfigOf(int64_t max_positions) {
  ModelConfig config = TinyConfig();
  config.max_positions = max_positions;
  return config;
}

struct Describer {
  std::string operator()(const TranscriptDelta& delta) const { return fmt::format("heard '{}'", delta.text); }
  std::string operator()(const TurnEnded& ended) const {
    return fmt::format("ended {} '{}' {}+{}{}{}{}", Name(ended.cause), ended.transcript, ended.heard_frames,
                       ended.text_pieces, Images(ended.images),
                       Video(ended.video_frames, ended.dropped_video_frames),
                       Functions(ended.function_results, ended.function_pieces));
  }
  std::string operator()(const ResponseText& text) const { return fmt::format("text '{}'", text.text); }
  std::string operator()(const ResponseAudio& audio) const {
    std::string samples;
    for (size_t i = 0; i < 6; ++i) samples += fmt::format(" {:.3f}", audio.samples.at(i));
    return fmt::format("audio{} of {}", samples, audio.samples.size());
  }
  std::string operator()(const ResponseImage& image) const {
    return fmt::format("image {} [{}]", image.index, fmt::join(image.codes, " "));
  }
  std::string operator()(const ResponseCall& call) const {
    return fmt::format("call '{}'{}", call.text, call.complete ? " complete" : "");
  }
  std::string operator()(const MannerChosen& chosen) const {
    constexpr const char* kSpeeds[] = {" slow", " normal", " fast"};
    constexpr const char* kVoices[] = {" own", " low"};
    return fmt::format("manner{}{}", chosen.speed ? kSpeeds[static_cast<int>(*chosen.speed)] : "",
                       chosen.voice ? kVoices[static_cast<int>(*chosen.voice)] : "");
  }
  std::string operator()(const ResponseCut& cut) const {
    return fmt::format("cut {} '{}'", cut.frames, cut.text);
  }
  std::string operator()(const SequenceExported& exported) const {
    return exported.bytes.empty() ? "not exported" : "exported";
  }
  std::string operator()(const ResponseDone& done) const {
    return fmt::format("done {} {} {}+{}{}{} at {}", Name(done.end), StatusCodeName(done.error.code()),
                       done.text_pieces, done.spoken_frames, Images(done.images),
                       Calls(done.calls, done.call_pieces), done.context_positions);
  }
  std::string operator()(const InputRefused& refused) const {
    return fmt::format("refused {}", StatusCodeName(refused.error.code()));
  }
  std::string operator()(const TurnCleared& cleared) const {
    return fmt::format("cleared {}", cleared.calls);
  }
  std::string operator()(const RoomForFrames& room) const { return fmt::format("room {}", room.frames); }
};

}  // namespace

ModelConfig TinyConfig() { return LoadModelConfig(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model").value(); }

TextTokenizer TinyTokenizer(const ModelConfig& config) {
  return TextTokenizer::Load(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/tokenizer.model", config.symbols)
      .value();
}

std::string Describe(uint64_t turn, const SequenceEvent& event) {
  return fmt::format("{} {}", turn, std::visit(Describer{}, event));
}

Owner::Owner(EngineLoop& loop, const FakeCodec& codec, const TextTokenizer& tokenizer, const Clock& clock,
             const SequenceOptions& options, PortLimits limits)
    : loop_(loop), codec_(codec), tokenizer_(tokenizer), clock_(clock) {
  port_ = std::make_shared<SequencePort>(limits, Listener());
  loop_.Add(port_, options);
}

Owner::Owner(Owner& original, const ForkOptions& options)
    : loop_(original.loop_),
      codec_(original.codec_),
      tokenizer_(original.tokenizer_),
      clock_(original.clock_),
      port_(std::make_shared<SequencePort>(PortLimits{}, Listener())) {
  original.Post(ForkRequest{port_, options});
}

SequenceListener Owner::Listener() {
  return [this](uint64_t turn, const SequenceEvent& event) {
    if (const auto* room = std::get_if<RoomForFrames>(&event)) {
      room_ += room->frames;
    } else {
      if (const auto* exported = std::get_if<SequenceExported>(&event)) exported_ = exported->bytes;
      told_.push_back(Describe(turn, event));
    }
  };
}

void Owner::Hear(const std::vector<int64_t>& codes) {
  for (const int64_t code : codes) EXPECT_EQ(TryHear(code), OkStatus());
}

Status Owner::TryHear(int64_t code) {
  const Status posted = port_->Post(HeardFrame{codec_.Sound(code), clock_.Now()});
  loop_.Wake();
  return posted;
}

void Owner::HearLate(const std::vector<int64_t>& codes, std::chrono::milliseconds late) {
  for (const int64_t code : codes) {
    EXPECT_EQ(port_->Post(HeardFrame{codec_.Sound(code), clock_.Now() - late, clock_.Now()}), OkStatus());
  }
  loop_.Wake();
}

void Owner::Type(const std::string& text) {
  Post(TypedText{text, tokenizer_.Encode(text).value(), clock_.Now()});
}

void Owner::Show(const std::vector<int>& codes) {
  Post(ShownImage{loop_.grammar().ImageSymbols(codes), clock_.Now()});
}

void Owner::Declare(const std::string& signatures) {
  DeclareRequest declare;
  if (!signatures.empty()) declare.pieces = tokenizer_.Encode(signatures).value();
  Post(std::move(declare));
}

void Owner::Instruct(const std::string& text) {
  InstructRequest instruct;
  if (!text.empty()) instruct.pieces = tokenizer_.Encode(text).value();
  Post(std::move(instruct));
}

void Owner::GiveResult(const std::string& text) {
  Post(FunctionResult{loop_.grammar().ResultSymbols(tokenizer_.Encode(text).value()), clock_.Now()});
}

void Owner::ShowVideo(const std::vector<int>& codes) {
  Post(VideoFrame{loop_.grammar().ImageSymbols(codes), clock_.Now()});
}

void Owner::Post(SequenceRequest request) {
  EXPECT_EQ(port_->Post(std::move(request)), OkStatus());
  loop_.Wake();
}

void Owner::Close() {
  port_->Close();
  loop_.Wake();
}

std::vector<std::string> Owner::Take() {
  const size_t from = std::exchange(taken_, told_.size());
  return {told_.begin() + static_cast<std::ptrdiff_t>(from), told_.end()};
}

int Owner::Count(const std::string& part) const {
  int count = 0;
  for (const std::string& event : told_) count += event.find(part) != std::string::npos ? 1 : 0;
  return count;
}

EngineOptions EngineBench::SmallOptions() {
  EngineOptions options;
  options.kv_pages = 256;
  options.page_positions = 4;
  return options;
}

EngineBench::EngineBench(const EngineOptions& options, int64_t max_positions)
    : EngineBench(ConfigOf(max_positions), options) {}

EngineBench::EngineBench(const ModelConfig& model_config, const EngineOptions& options)
    : config(model_config),
      tokenizer(TinyTokenizer(config)),
      model(config),
      codec(config),
      loop({model, codec, tokenizer, clock}, options) {}

std::unique_ptr<Owner> EngineBench::Open(const SequenceOptions& options, PortLimits limits) {
  return std::make_unique<Owner>(loop, codec, tokenizer, clock, options, limits);
}

int EngineBench::RunAll() {
  int steps = 0;
  while (loop.RunOnce()) {
    if (++steps > kEndless) {
      ADD_FAILURE() << "the engine never comes to rest";
      break;
    }
  }
  return steps;
}

}  // namespace antiphon
