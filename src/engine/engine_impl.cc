#include "engine/engine_impl.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <exception>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "engine/admission.h"
#include "engine/engine_loop.h"
#include "engine/exception_status.h"
#include "engine/recording.h"
#include "engine/recording_writer.h"
#include "engine/replay_ticket.h"
#include "engine/sequence_options.h"
#include "engine/sequence_port.h"
#include "engine/sequence_request.h"
#include "engine/sound_snapshot.h"
#include "engine/warm_up.h"
#include "kernels/dispatch.h"
#include "kernels/thread_team.h"
#include "media/image.h"

namespace antiphon {
namespace {

constexpr int64_t kMostPieces = 1024;      // of one AppendText
constexpr size_t kMostTextBytes = 16'384;  // likewise, and of instructions
constexpr int kMostThreads = 4;            // when left to the engine: more than this small steps cannot use

int ThreadCount(const EngineOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
}

ModelDescription Describe(const LanguageModel& model, const AudioCodec& codec) {
  const ModelConfig& config = model.config();
  ModelDescription description;
  description.name = config.name;
  description.version = config.version;
  description.parameters = model.parameters();
  description.sample_rate = static_cast<int>(config.sample_rate);
  description.frame_samples = static_cast<int>(config.frame_samples);
  description.codebook_sizes.assign(config.codebook_sizes.begin(), config.codebook_sizes.end());
  description.vocabulary_size = static_cast<int>(config.symbols.vocab_size);
  description.max_positions = static_cast<int>(config.max_positions);
  description.image_side = static_cast<int>(config.image.side);
  description.image_grid = static_cast<int>(config.image.grid);
  description.manners = codec.has_manners();
  description.tells_words = config.word_head;
  description.calls_functions = config.tools.known();
  description.max_instruction_pieces = static_cast<int>(config.max_instruction_pieces);
  description.endpoint_threshold = config.endpoint_threshold;
  return description;
}

AdmissionTerms TermsOf(const ModelConfig& config, const AudioCodec& codec, const EngineOptions& options) {
  // Whoever is let in may speak fast at any time.
  const SpeechSpeed fastest = codec.has_manners() ? SpeechSpeed::kFast : SpeechSpeed::kNormal;
  return {.max_open = options.max_sequences,
          .heard_period = DurationOf(config.frame_samples, config),
          .spoken_period = DurationOf(SamplesAt(fastest, config.frame_samples), config),
          .first_audio_target = options.first_audio_target,
          .first_audio_steps = config.speech_lead + 1,
          .max_step = PlannerLimits{}.max_step};
}

// A few text pieces to warm up with.
std::vector<int64_t> SomePieces(const TextTokenizer& tokenizer) {
  std::vector<int64_t> pieces;
  for (int64_t symbol = 0; symbol < tokenizer.vocab_size() && pieces.size() < 8; ++symbol) {
    if (tokenizer.is_text(symbol)) pieces.push_back(symbol);
  }
  return pieces;
}

Status NoPictures() { return {StatusCode::kUnimplemented, "the model knows no pictures"}; }

Status NoFunctions() { return {StatusCode::kUnimplemented, "the model knows no functions"}; }

Status CheckFit(const EngineModules& modules) {
  const ModelConfig& config = modules.model->config();
  if (modules.codec->sample_rate() != config.sample_rate ||
      modules.codec->frame_samples() != config.frame_samples ||
      modules.codec->codebook_sizes() != config.codebook_sizes) {
    return InvalidArgument("the audio codec has other frames or codebooks than the language model");
  }
  if (config.manner.known() && !modules.codec->has_manners()) {
    return InvalidArgument("the language model chooses manners of speaking, the audio codec has but one");
  }
  if (modules.tokenizer.vocab_size() != config.symbols.text_pieces) {
    return InvalidArgument("the tokenizer has another vocabulary than the language model");
  }
  const ImageCodec* images = modules.image_codec.get();
  if ((images != nullptr) != config.image.known() ||
      (images != nullptr && (images->side() != config.image.side || images->grid() != config.image.grid ||
                             images->codebook_size() != config.image.codebook_size))) {
    return InvalidArgument("the image codec makes other pictures than the language model knows");
  }
  return OkStatus();
}

// RecordingHead::kernels of this machine and such a cache: tokens depend on both.
std::string KernelsOf(KvFormat format) {
  const std::string loops = CpuLoops().name;
  switch (format) {
    case KvFormat::kFloat32:
      return loops;
    case KvFormat::kBfloat16:
      return loops + " bf16-cache";
    case KvFormat::kInt8:
      return loops + " int8-cache";
  }
  return loops;
}

class EngineImpl final : public Engine {
 public:
  // `recordings`: null when nothing is to be recorded.
  EngineImpl(EngineModules modules, const EngineOptions& options, std::unique_ptr<RecordingWriter> recordings,
             const Clock& clock)
      : modules_(std::move(modules)),
        options_(options),
        clock_(clock),
        description_(Describe(*modules_.model, *modules_.codec)),
        terms_(TermsOf(modules_.model->config(), *modules_.codec, options)),
        identity_{description_.name, description_.version, modules_.weights_checksum},
        arithmetic_{identity_, options.weights, KernelsOf(options.kv_format)},
        recordings_(std::move(recordings)),
        loop_({*modules_.model, *modules_.codec, modules_.tokenizer, clock, identity_}, options) {}

  ~EngineImpl() override {
    loop_.Stop();
    if (thread_.joinable()) thread_.join();
  }

  // Returns when the thread is warm.
  Status Start() {
    std::promise<Status> warm;
    std::future<Status> result = warm.get_future();
    thread_ = std::thread([this, warm = std::move(warm)]() mutable {
      at::set_num_threads(ThreadCount(options_));
      Status status;
      std::optional<ThreadTeam> team;
      std::optional<ThreadTeamScope> scope;
      try {
        team.emplace(ThreadCount(options_));
        scope.emplace(&*team);
        status = WarmUp(loop_, SomePieces(modules_.tokenizer), modules_.codec->frame_samples(),
                        options_.max_sequences);
      } catch (const std::exception& error) {
        status = Internal(std::string("the engine cannot start: ") + error.what());
      }
      loop_.RecordTo({recordings_.get(), arithmetic_, options_.max_recording_bytes});
      warm.set_value(status);
      if (status.ok()) loop_.Run();
    });
    return result.get();
  }

  Result<std::unique_ptr<Sequence>> Open(const SequenceOptions& options, SequenceListener listener) override;
  Result<std::unique_ptr<SessionReplay>> Replay(std::string bytes) override;
  Result<Image> PaintImage(std::span<const int> codes) const override;
  const ModelDescription& model() const override { return description_; }
  EngineStatistics statistics() const override;

  // For its sequences.
  void Wake() { loop_.Wake(); }
  void Closed(bool best_effort);
  TimePoint now() const { return clock_.Now(); }
  const TextTokenizer& tokenizer() const { return modules_.tokenizer; }
  const StreamGrammar& grammar() const { return loop_.grammar(); }
  // `<image>`, the codes of the picture, `</image>`.
  Result<std::vector<int64_t>> ReadImage(const Image& image) const;
  Result<SequenceSnapshot> Read(std::string_view bytes) const;

 private:
  // Lets one more in, or says why not.
  Status AdmitOne(bool best_effort);

  const EngineModules modules_;
  const EngineOptions options_;
  const Clock& clock_;
  const ModelDescription description_;
  const AdmissionTerms terms_;
  const ModelIdentity identity_;
  const RecordingHead arithmetic_;
  const std::unique_ptr<RecordingWriter> recordings_;
  EngineLoop loop_;  // behind what it records to
  std::thread thread_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  int open_ = 0;
  int live_ = 0;  // of them, not best effort
};

// The owner's side of a replay.
class ReplayImpl final : public SessionReplay {
 public:
  ReplayImpl(EngineImpl* engine, std::shared_ptr<ReplayTicket> ticket)
      : engine_(engine), ticket_(std::move(ticket)) {}
  ~ReplayImpl() override {
    Stop();
    engine_->Closed(/*best_effort=*/true);
  }

  std::optional<ReplayOutcome> Wait(TimePoint until) const override { return ticket_->Wait(until); }
  void Stop() override { ticket_->Finish({.status = Cancelled("the replay was stopped")}); }

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<ReplayTicket> ticket_;
};

// The owner's side of a sequence.
class SequenceImpl final : public Sequence {
 public:
  enum class Kind { kOpened, kBestEffort, kFork };
  SequenceImpl(EngineImpl* engine, std::shared_ptr<SequencePort> port, Kind kind)
      : engine_(engine), port_(std::move(port)), kind_(kind) {}

  ~SequenceImpl() override {
    port_->Close();
    if (kind_ == Kind::kFork) {
      engine_->Wake();  // to free its pages
    } else {
      engine_->Closed(kind_ == Kind::kBestEffort);
    }
  }

  void Configure(const SequenceOptions& options) override { Signal(ConfigureRequest{options}); }
  Status AppendFrame(std::span<const float> samples, TimePoint received) override;
  Status AppendText(const std::string& text) override;
  Status AppendImage(const Image& image) override;
  Status AppendVideoFrame(const Image& image) override;
  Status DeclareFunctions(const std::string& signatures) override;
  Status AppendFunctionResult(const std::string& text) override;
  Status Instruct(const std::string& instructions) override;
  void EndTurn(TurnEndCause cause) override { Signal(TurnEndRequest{cause, engine_->now()}); }
  void ClearTurn() override { Signal(ClearRequest{}); }
  void Cancel() override { Signal(CancelRequest{}); }
  void CutResponse(int frames) override { Signal(CutRequest{frames}); }
  void PaceSpeech(int frames, TimePoint playback_began) override {
    Signal(PaceRequest{frames, playback_began});
  }
  void ExpectTurnEnd() override { Signal(ExpectTurnEndRequest{}); }
  Result<std::unique_ptr<Sequence>> Fork(const ForkOptions& options) override;
  void Export() override { Signal(ExportRequest{}); }
  Status Restore(std::string_view bytes, bool in_response, int* positions) override;

 private:
  Result<std::vector<int64_t>> Encode(const std::string& text) const;
  Status Post(SequenceRequest request) {
    const Status posted = port_->Post(std::move(request));
    if (posted.ok()) engine_->Wake();
    return posted;
  }
  void Signal(SequenceRequest request) { static_cast<void>(Post(std::move(request))); }  // always taken

  EngineImpl* const engine_;
  const std::shared_ptr<SequencePort> port_;
  const Kind kind_;
  std::weak_ptr<SequencePort> fork_;  // the latest
};

Result<std::unique_ptr<Sequence>> SequenceImpl::Fork(const ForkOptions& options) {
  if (kind_ == Kind::kFork) return FailedPrecondition("a fork is not forked itself");
  if (options.first_turn == 0) return InvalidArgument("first_turn is 0, must be at least 1");
  if (options.heard_frames.value_or(0) < 0) {
    return InvalidArgument("heard_frames is " + std::to_string(*options.heard_frames) +
                           ", must be at least 0");
  }
  if (const auto fork = fork_.lock(); fork != nullptr && !fork->closed()) {
    return ResourceExhausted("the sequence has a fork, the most it may have");
  }
  std::shared_ptr<SequencePort> port = port_->Fork();
  fork_ = port;
  Signal(ForkRequest{port, options});
  return std::unique_ptr<Sequence>(std::make_unique<SequenceImpl>(engine_, std::move(port), Kind::kFork));
}

Status SequenceImpl::AppendFrame(std::span<const float> samples, TimePoint received) {
  const auto expected = static_cast<size_t>(engine_->model().frame_samples);
  if (samples.size() != expected) {
    return InvalidArgument("a frame has " + std::to_string(expected) + " samples, not " +
                           std::to_string(samples.size()));
  }
  return Post(HeardFrame{{samples.begin(), samples.end()}, received, engine_->now()});
}

Result<std::vector<int64_t>> SequenceImpl::Encode(const std::string& text) const {
  if (text.size() > kMostTextBytes) {  // white space has no pieces
    return InvalidArgument("the text has " + std::to_string(text.size()) + " bytes, at most " +
                           std::to_string(kMostTextBytes) + " are taken at once");
  }
  Result<std::vector<int64_t>> pieces = engine_->tokenizer().Encode(text);
  if (!pieces.ok()) return pieces.status();
  if (pieces->empty()) return InvalidArgument("the text is empty");
  const auto count = static_cast<int64_t>(pieces->size());
  if (count > kMostPieces) {
    return InvalidArgument("the text has " + std::to_string(count) + " pieces, at most " +
                           std::to_string(kMostPieces) + " are taken at once");
  }
  return pieces;
}

Status SequenceImpl::AppendText(const std::string& text) {
  Result<std::vector<int64_t>> pieces = Encode(text);
  if (!pieces.ok()) return pieces.status();
  return Post(TypedText{text, *std::move(pieces), engine_->now()});
}

Status SequenceImpl::DeclareFunctions(const std::string& signatures) {
  if (!engine_->model().calls_functions) return signatures.empty() ? OkStatus() : NoFunctions();
  if (signatures.empty()) return Post(DeclareRequest{});
  Result<std::vector<int64_t>> pieces = Encode(signatures);
  if (!pieces.ok()) return pieces.status();
  return Post(DeclareRequest{*std::move(pieces)});
}

Status SequenceImpl::Instruct(const std::string& instructions) {
  if (instructions.empty()) return Post(InstructRequest{});
  const int most = engine_->model().max_instruction_pieces;
  if (most == 0) return {StatusCode::kUnimplemented, "the model knows no instructions"};
  if (instructions.size() > kMostTextBytes) {
    return InvalidArgument("the instructions have " + std::to_string(instructions.size()) +
                           " bytes, must have at most " + std::to_string(kMostTextBytes));
  }
  Result<std::vector<int64_t>> pieces = engine_->tokenizer().Encode(instructions);
  if (!pieces.ok()) return pieces.status();
  if (std::ssize(*pieces) > most) {
    return InvalidArgument("the instructions have " + std::to_string(pieces->size()) +
                           " pieces, the model reads at most " + std::to_string(most));
  }
  return Post(InstructRequest{*std::move(pieces)});
}

Status SequenceImpl::AppendFunctionResult(const std::string& text) {
  if (!engine_->model().calls_functions) return NoFunctions();
  const Result<std::vector<int64_t>> pieces = Encode(text);
  if (!pieces.ok()) return pieces.status();
  return Post(FunctionResult{engine_->grammar().ResultSymbols(*pieces), engine_->now()});
}

Status SequenceImpl::AppendImage(const Image& image) {
  Result<std::vector<int64_t>> pieces = engine_->ReadImage(image);
  if (!pieces.ok()) return pieces.status();
  return Post(ShownImage{*std::move(pieces), engine_->now()});
}

Result<SequenceSnapshot> EngineImpl::Read(std::string_view bytes) const {
  Result<SequenceSnapshot> snapshot = ReadSnapshot(bytes, identity_, modules_.model->config());
  if (!snapshot.ok()) return snapshot;
  try {
    if (Status status = CheckSound(*snapshot, *modules_.codec); !status.ok()) return status;
  } catch (...) {
    return CurrentExceptionStatus();
  }
  return snapshot;
}

Status SequenceImpl::Restore(std::string_view bytes, bool in_response, int* positions) {
  Result<SequenceSnapshot> snapshot = engine_->Read(bytes);
  if (!snapshot.ok()) return snapshot.status();
  if (snapshot->stream.in_response() != in_response) {
    return DataLoss(in_response ? "the sequence stands in no response" : "the sequence stands in a response");
  }
  if (positions != nullptr) *positions = static_cast<int>(snapshot->positions.size());
  Signal(RestoreRequest{*std::move(snapshot)});
  return OkStatus();
}

Status SequenceImpl::AppendVideoFrame(const Image& image) {
  Result<std::vector<int64_t>> pieces = engine_->ReadImage(image);
  if (!pieces.ok()) return pieces.status();
  return Post(VideoFrame{*std::move(pieces), engine_->now()});
}

Result<std::vector<int64_t>> EngineImpl::ReadImage(const Image& image) const {
  if (modules_.image_codec == nullptr) return NoPictures();
  try {
    const Result<Image> square = FitImage(image, description_.image_side);
    if (!square.ok()) return square.status();
    const Result<std::vector<int>> codes = modules_.image_codec->Encode(*square);
    if (!codes.ok()) return codes.status();
    return loop_.grammar().ImageSymbols(*codes);
  } catch (...) {
    return CurrentExceptionStatus();
  }
}

Result<Image> EngineImpl::PaintImage(std::span<const int> codes) const {
  if (modules_.image_codec == nullptr) return NoPictures();
  try {
    return modules_.image_codec->Decode(codes);
  } catch (...) {
    return CurrentExceptionStatus();
  }
}

Result<std::unique_ptr<Sequence>> EngineImpl::Open(const SequenceOptions& options,
                                                   SequenceListener listener) {
  if (const Status valid = Validate(options); !valid.ok()) return valid;
  if (!listener) return InvalidArgument("a sequence needs a listener");
  const int64_t pieces = std::max(4 * kMostPieces, modules_.model->config().image.symbols());
  const PortLimits limits{.frames = options_.max_pending_frames, .pieces = pieces};
  auto port = std::make_shared<SequencePort>(limits, std::move(listener));
  if (const Status admitted = AdmitOne(options.best_effort); !admitted.ok()) return admitted;
  std::unique_ptr<Sequence> sequence;
  try {
    sequence = std::make_unique<SequenceImpl>(
        this, port, options.best_effort ? SequenceImpl::Kind::kBestEffort : SequenceImpl::Kind::kOpened);
  } catch (...) {
    Closed(options.best_effort);  // from here on the sequence gives the place back itself
    throw;
  }
  loop_.Add(std::move(port), options);
  return sequence;
}

Status EngineImpl::AdmitOne(bool best_effort) {
  const std::lock_guard lock(mutex_);
  const StepCost cost = options_.keep_promises ? loop_.cost() : StepCost{};
  if (const Status admitted = Admit(open_, live_, cost, terms_); !admitted.ok()) return admitted;
  ++open_;
  live_ += best_effort ? 0 : 1;
  return OkStatus();
}

Result<std::unique_ptr<SessionReplay>> EngineImpl::Replay(std::string bytes) {
  try {
    Result<Recording> recording = Recording::Read(std::move(bytes), identity_, modules_.model->config());
    if (!recording.ok()) return recording.status();
    auto ticket = std::make_shared<ReplayTicket>();
    if (const Status admitted = AdmitOne(/*best_effort=*/true); !admitted.ok()) return admitted;
    std::unique_ptr<ReplayImpl> replay;
    try {
      replay = std::make_unique<ReplayImpl>(this, ticket);
    } catch (...) {
      Closed(/*best_effort=*/true);
      throw;
    }
    loop_.AddReplay(std::move(ticket), std::move(recording).value(), ArithmeticOf(arithmetic_));
    return std::unique_ptr<SessionReplay>(std::move(replay));
  } catch (...) {
    return CurrentExceptionStatus();
  }
}

void EngineImpl::Closed(bool best_effort) {
  {
    const std::lock_guard lock(mutex_);
    --open_;
    live_ -= best_effort ? 0 : 1;
  }
  Wake();  // to free its pages
}

EngineStatistics EngineImpl::statistics() const {
  EngineStatistics statistics = loop_.statistics();
  const std::lock_guard lock(mutex_);
  statistics.open_sequences = open_;
  return statistics;
}

}  // namespace

Result<std::unique_ptr<Engine>> StartEngine(EngineModules modules, const EngineOptions& options,
                                            const Clock& clock) {
  if (const Status valid = Validate(options); !valid.ok()) return valid;
  if (const Status fit = CheckFit(modules); !fit.ok()) return fit;
  std::unique_ptr<RecordingWriter> recordings;
  if (!options.record_folder.empty()) {
    Result<std::unique_ptr<RecordingWriter>> writer = RecordingWriter::Create(options.record_folder);
    if (!writer.ok()) return writer.status();
    recordings = std::move(writer).value();
  }
  auto engine = std::make_unique<EngineImpl>(std::move(modules), options, std::move(recordings), clock);
  if (const Status started = engine->Start(); !started.ok()) return started;
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace antiphon
