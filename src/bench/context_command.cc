// `antiphon-bench context`: what a long context costs. The real engine with random weights of a shape, one
// bulk sequence that reads a long text in chunks, and conversations in real time beside it. Where the bulk
// sequence begins to be measured its pages may be filled without computing them: a whole prefill takes hours.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "bench/allocations.h"
#include "bench/commands.h"
#include "bench/context_model.h"
#include "bench/context_session.h"
#include "bench/output.h"
#include "bench/random_model.h"
#include "bench/statistics.h"
#include "engine/engine_impl.h"
#include "model/audio_codec.h"
#include "model/model_config.h"
#include "model/safetensors.h"
#include "model/text_tokenizer.h"

namespace antiphon::bench {
namespace {

constexpr int64_t kTextPieces = 512;      // of one AppendText
constexpr int64_t kMostWaiting = 4096;    // of what was given and is not run
constexpr int64_t kRoomBehind = 16'384;   // positions behind the last start
constexpr int64_t kLivePositions = 1024;  // of a conversation
constexpr int64_t kLeastPasses = 3;       // of a window, however long they take
constexpr auto kPoll = std::chrono::milliseconds(2);
constexpr auto kLongest = std::chrono::minutes(30);  // for one section's steps to end

struct Arguments {
  std::string model;
  std::string shape = "b0.4";
  std::string json;
  std::vector<int64_t> from = {1024, 8192, 32'768, 131'072};
  int seconds = 20;
  int live = 1;
  int decode_steps = 8;
  int threads = 0;
};

double ResidentMebibytes() { return static_cast<double>(ResidentBytes()) / (1 << 20); }

// A word of one piece, also among others like it.
Result<std::string> OnePieceWord(const TextTokenizer& tokenizer) {
  for (const std::string word : {"the", "a", "you", "is", "i"}) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += (i > 0 ? " " : "") + word;
    const auto pieces = tokenizer.Encode(text);
    if (pieces.ok() && pieces->size() == 100) return word;
  }
  return FailedPrecondition("the tokenizer has no word of one piece to fill a context with");
}

// The bulk sequence.
class Reader {
 public:
  Reader(Engine& engine, std::string word) : word_(std::move(word)) {
    SequenceOptions options;
    options.speak = false;
    options.semantic_turns = false;
    options.best_effort = true;
    Open(engine, options);
  }

  Status status() {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  // Positions up to the end of the last answer.
  int64_t length() {
    const std::lock_guard lock(mutex_);
    return length_;
  }
  void set_steps(int steps) { options_.max_response_pieces = steps; }

  // False: too much waits already.
  bool Give(int64_t pieces) {
    std::string text;
    for (int64_t i = 0; i < pieces; ++i) text += (i > 0 ? " " : "") + word_;
    const Status given = sequence_->AppendText(text);
    if (!given.ok() && given.code() != StatusCode::kResourceExhausted) Fail(given);
    return given.ok();
  }
  // Returns when the response has ended.
  void Answer() {
    sequence_->Configure(options_);
    const int before = responses();
    sequence_->EndTurn(TurnEndCause::kCommit);
    Await([&] { return responses_ > before; });
  }
  void ForgetTurn() {
    const int before = Cleared();
    sequence_->ClearTurn();
    Await([&] { return cleared_ > before; });
  }

 private:
  void Open(Engine& engine, const SequenceOptions& options) {
    options_ = options;
    auto opened = engine.Open(options, [this](uint64_t, const SequenceEvent& event) { On(event); });
    if (!opened.ok()) return Fail(opened.status());
    sequence_ = std::move(opened).value();
  }
  void On(const SequenceEvent& event) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto* done = std::get_if<ResponseDone>(&event)) {
        ++responses_;
        length_ = done->context_positions;
        if (!done->error.ok() && status_.ok()) status_ = done->error;
      }
      if (const auto* refused = std::get_if<InputRefused>(&event); refused != nullptr && status_.ok()) {
        status_ = refused->error;
      }
      cleared_ += std::holds_alternative<TurnCleared>(event) ? 1 : 0;
    }
    changed_.notify_all();
  }
  template <typename Condition>
  void Await(const Condition& condition) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kLongest, [&] { return condition() || !status_.ok(); })) return;
    status_ = Status(StatusCode::kDeadlineExceeded, "the engine did not answer");
  }
  int responses() {
    const std::lock_guard lock(mutex_);
    return responses_;
  }
  int Cleared() {
    const std::lock_guard lock(mutex_);
    return cleared_;
  }
  void Fail(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = status;
  }

  const std::string word_;
  SequenceOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Status status_;  // guarded by mutex_, as is what follows
  int responses_ = 0;
  int cleared_ = 0;
  int64_t length_ = 0;
  std::unique_ptr<Sequence> sequence_;
};

struct Setup {
  std::unique_ptr<Engine> engine;  // behind `model`, which it owns
  ContextModel* model = nullptr;
  std::string word;
  int64_t pages = 0;
};

Result<Setup> Start(const Arguments& arguments) {
  const Result<ModelConfig> folder = LoadModelConfig(arguments.model);
  if (!folder.ok()) return folder.status();
  const Result<ModelConfig> config = WithShape(*folder, arguments.shape, arguments.from.back() + kRoomBehind);
  if (!config.ok()) return config.status();
  Result<RandomModel> random = LoadRandomModel(*config, RandomWeights::kInt8, 1);
  if (!random.ok()) return random.status();
  const auto weights = Safetensors::Open(arguments.model + "/audio_codec.safetensors");
  if (!weights.ok()) return weights.status();
  Result<std::unique_ptr<AudioCodec>> codec = AudioCodec::Load(*weights, *config, at::kCPU);
  if (!codec.ok()) return codec.status();
  Result<TextTokenizer> tokenizer =
      TextTokenizer::Load(arguments.model + "/tokenizer.model", config->symbols);
  if (!tokenizer.ok()) return tokenizer.status();
  Setup setup;
  Result<std::string> word = OnePieceWord(*tokenizer);
  if (!word.ok()) return word.status();
  setup.word = std::move(word).value();
  auto model = std::make_unique<ContextModel>(std::move(random->model));
  setup.model = model.get();
  EngineOptions options;
  options.threads = arguments.threads;
  options.max_sequences = arguments.live + 1;
  const int64_t positions = config->max_positions + arguments.live * kLivePositions;
  options.kv_pages = static_cast<int>(positions / options.page_positions) + 1;
  setup.pages = options.kv_pages;
  auto engine =
      StartEngine({std::move(model), std::move(codec).value(), std::move(tokenizer).value(), nullptr},
                  options, SystemClock::Get());
  if (!engine.ok()) return engine.status();
  setup.engine = std::move(engine).value();
  return setup;
}

// Until the context is `end` positions long, without computing any.
Status Fill(Setup& setup, Reader& reader, int64_t end) {
  int64_t given = reader.length();
  if (given >= end) return InvalidArgument("--from: " + std::to_string(end) + " has been passed already");
  setup.model->ForgetLongest();
  setup.model->Skip(true);
  while (given < end && reader.status().ok()) {
    const int64_t pieces = std::min(kTextPieces, end - given);
    if (reader.Give(pieces)) {
      given += pieces;
    } else {
      std::this_thread::sleep_for(kPoll);
    }
  }
  while (setup.model->longest() < end && reader.status().ok()) std::this_thread::sleep_for(kPoll);
  setup.model->Skip(false);
  return reader.status();
}

// What became of the bulk sequence while it had always more to read.
struct Prefill {
  int64_t first = 0;  // position
  int64_t positions = 0;
  double seconds = 0;
  LatencySummary pass_ms;
  int64_t passes = 0;
};

Prefill ReadFor(Setup& setup, Reader& reader, std::chrono::seconds time) {
  static_cast<void>(setup.model->TakePasses());
  const TimePoint begin = SystemClock::Get().Now();
  const int64_t most = setup.model->config().max_positions - 2 * kTextPieces;
  const auto goes_on = [&] {
    return SystemClock::Get().Now() < begin + time || setup.model->passes() < kLeastPasses;
  };
  while (goes_on() && SystemClock::Get().Now() < begin + kLongest && reader.status().ok()) {
    if (setup.model->longest() > most - kMostWaiting) break;  // there may be so much more to come
    if (!reader.Give(kTextPieces)) std::this_thread::sleep_for(kPoll);
  }
  Prefill prefill;
  TimePoint end = begin;
  for (const ContextModel::Pass& pass : setup.model->TakePasses()) {
    // A pass that had begun before, or in which only conversations were, counts for the time it took.
    end = pass.end;
    ++prefill.passes;
    prefill.pass_ms.Add(Milliseconds(pass.took));
    if (pass.context < kLivePositions) continue;
    if (prefill.positions == 0) prefill.first = pass.context;
    prefill.positions += pass.rows;
  }
  prefill.seconds = std::chrono::duration<double>(end - begin).count();
  return prefill;
}

nlohmann::json PrefillJson(const Prefill& prefill) {
  return {{"first_position", prefill.first},
          {"positions", prefill.positions},
          {"seconds", prefill.seconds},
          {"positions_per_second",
           prefill.seconds > 0 ? static_cast<double>(prefill.positions) / prefill.seconds : 0.0},
          {"passes", prefill.passes},
          {"pass_ms", SummaryJson(prefill.pass_ms)}};
}

nlohmann::json LiveJson(const ContextSessionTimes& times) {
  return {{"turns", times.turns},
          {"heard_ms", SummaryJson(times.heard)},
          {"heard_late", times.heard_late},
          {"first_audio_ms", SummaryJson(times.first_audio)},
          {"spoken_late_ms", SummaryJson(times.spoken_late)},
          {"spoken_late", times.spoken_late_count}};
}

Status Measure(const Arguments& arguments, Setup& setup, Reader& reader, int64_t from, double resident_before,
               nlohmann::json* report) {
  if (Status filled = Fill(setup, reader, from); !filled.ok()) return filled;
  nlohmann::json& section = *report;
  section["from"] = from;
  static_cast<void>(setup.model->TakePasses());
  reader.Answer();
  const auto pages = static_cast<double>(setup.engine->statistics().pages_in_use);
  const double predicted = pages * static_cast<double>(setup.model->page_bytes()) / (1 << 20);
  section["memory"] = {{"pages", pages},
                       {"page_bytes", setup.model->page_bytes()},
                       {"predicted_mib", predicted},
                       {"resident_mib", ResidentMebibytes() - resident_before}};

  LatencySummary decode;
  for (const ContextModel::Pass& pass : setup.model->TakePasses()) {
    if (pass.sequences == 1 && pass.rows == 1) decode.Add(Milliseconds(pass.took));
  }
  section["decode_ms"] = SummaryJson(decode);

  const std::chrono::seconds time(arguments.seconds);
  // The engine learnt from the skipped steps that they cost nothing: it has to forget that first.
  static_cast<void>(ReadFor(setup, reader, time / 2));
  section["alone"] = PrefillJson(ReadFor(setup, reader, time));
  const uint64_t missed = setup.engine->statistics().deadline_misses;
  std::vector<std::unique_ptr<ContextSession>> live;
  for (int i = 0; i < arguments.live; ++i) {
    live.push_back(std::make_unique<ContextSession>(*setup.engine, 1 + static_cast<uint64_t>(i)));
  }
  section["beside"] = PrefillJson(ReadFor(setup, reader, time));
  section["live"] = nlohmann::json::array();
  for (const auto& session : live) {
    const ContextSessionTimes times = session->Stop();
    if (!times.failure.ok()) return times.failure;
    section["live"].push_back(LiveJson(times));
  }
  section["deadline_misses"] = setup.engine->statistics().deadline_misses - missed;
  reader.ForgetTurn();
  return reader.status();
}

void Print(const nlohmann::json& section) {
  const auto& memory = section.at("memory");
  const auto speed = [&](const char* part) {
    return section.at(part).at("positions_per_second").get<double>();
  };
  std::string text = fmt::format(
      "\nfrom position {}: those before it were not computed, their pages hold random numbers\n"
      "memory: {} pages of {} bytes predict {:.0f} MiB, resident are {:.0f} MiB more than without\n"
      "prefill: {:.1f} positions/s alone ({} in {:.1f} s), {:.1f} beside {} conversations ({} in {:.1f} s)\n"
      "deadlines missed: {}\n",
      section.at("from").get<int64_t>(), memory.at("pages").get<double>(),
      memory.at("page_bytes").get<int64_t>(), memory.at("predicted_mib").get<double>(),
      memory.at("resident_mib").get<double>(), speed("alone"),
      section.at("alone").at("positions").get<int64_t>(), section.at("alone").at("seconds").get<double>(),
      speed("beside"), section.at("live").size(), section.at("beside").at("positions").get<int64_t>(),
      section.at("beside").at("seconds").get<double>(), section.at("deadline_misses").get<uint64_t>());
  text += SummaryHead() + SummaryLine("one position (backbone)", section.at("decode_ms")) +
          SummaryLine("a pass, alone", section.at("alone").at("pass_ms")) +
          SummaryLine("a pass, beside conversations", section.at("beside").at("pass_ms"));
  for (const auto& live : section.at("live")) {
    text += SummaryLine("  frame heard until run", live.at("heard_ms")) +
            SummaryLine("  first audio", live.at("first_audio_ms")) +
            SummaryLine("  spoken frame late", live.at("spoken_late_ms")) +
            fmt::format("  {} turns; {} heard and {} spoken frames late\n", live.at("turns").get<int64_t>(),
                        live.at("heard_late").get<int64_t>(), live.at("spoken_late").get<int64_t>());
  }
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

Status Run(Arguments arguments) {
  std::ranges::sort(arguments.from);
  for (size_t i = 1; i < arguments.from.size(); ++i) {
    if (arguments.from[i] < arguments.from[i - 1] + 64) {
      return InvalidArgument("--from: starts must be at least 64 positions apart");
    }
  }
  Result<Setup> setup = Start(arguments);
  if (!setup.ok()) return setup.status();
  const double resident = ResidentMebibytes();
  Reader reader(*setup->engine, setup->word);
  reader.set_steps(arguments.decode_steps);
  nlohmann::json report = {
      {"machine", MachineJson()},  {"shape", arguments.shape}, {"parameters", setup->model->parameters()},
      {"weights", "int8, random"}, {"pages", setup->pages},    {"sections", nlohmann::json::array()}};
  for (const int64_t from : arguments.from) {
    if (!reader.status().ok()) return reader.status();
    nlohmann::json section;
    if (Status measured = Measure(arguments, *setup, reader, from, resident, &section); !measured.ok()) {
      return measured;
    }
    Print(section);
    report["sections"].push_back(std::move(section));
  }
  return WriteReport(report, arguments.json);
}

}  // namespace

Command AddContextCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--model", arguments->model, "A model's folder, for its codec, tokenizer and depth decoder")
      ->type_name("FOLDER")
      ->required();
  app.add_option("--shape", arguments->shape, "Of the backbone; model: that of the folder")
      ->check(CLI::IsMember({"wren", "b0.4", "b1.2", "model"}))
      ->capture_default_str();
  app.add_option("--from", arguments->from,
                 "Positions at which to measure; what stands before is not computed, its pages are random")
      ->check(CLI::Range(1024, 1 << 20))
      ->expected(1, 16)
      ->capture_default_str();
  app.add_option("--seconds", arguments->seconds, "To prefill at each, alone and again beside conversations")
      ->check(CLI::Range(2, 3600))
      ->capture_default_str();
  app.add_option("--live", arguments->live, "Conversations in real time beside it")
      ->check(CLI::Range(0, 8))
      ->capture_default_str();
  app.add_option("--decode-steps", arguments->decode_steps, "Positions to answer in at each")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  app.add_option("--threads", arguments->threads, "Of the model; 0: one a core, at most 4")
      ->check(CLI::Range(0, 256));
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
