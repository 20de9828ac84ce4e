#include "tests/server/fake_engine.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

namespace antiphon {

using Clock = std::chrono::steady_clock;

// One sequence, as the engine's thread knows it.
struct FakeEngine::State {
  std::mutex listener_mutex;
  SequenceListener listener;  // guarded by listener_mutex; empty once the sequence is gone

  std::atomic<int> frames_waiting{0};

  SequenceOptions options;
  uint64_t turn = 1;
  std::string text;
  int frames = 0;

  int texts = 0;  // AppendText calls in `text`
  int images = 0;
  std::string sizes;      // of the images
  std::string functions;  // signatures
  std::string results;    // of calls
  int result_count = 0;
  int video = 0;    // frames since the last turn ended
  int newest = -1;  // what it shows; -1: there was none
  bool responding = false;
  bool cancelled = false;
  bool may_be_cut = false;  // the last response
  std::string said;         // by the user, all turns
  std::vector<std::string> pieces;
  size_t pieces_said = 0;
  int frames_said = 0;
  int frames_needed = 0;  // by its playback
  bool wants_picture = false;
  int rows_told = -1;             // of the picture; -1: not even its beginning
  std::vector<std::string> call;  // in parts
  size_t call_parts_said = 0;
  float level = 0.0f;
  SpeechManner manner;  // of the answer

  void Say(SequenceEvent event) {
    const std::lock_guard lock(listener_mutex);
    if (listener) listener(turn, std::move(event));
  }

  void Hear(int frames_of_turn) {
    if (++frames == 3) Say(TranscriptDelta{"some words"});
    if (options.semantic_turns && frames >= frames_of_turn) EndTurn(TurnEndCause::kModel);
  }

  void EndTurn(TurnEndCause cause) {
    const bool result_only = text.empty() && frames == 0 && images == 0;
    if (responding || (result_only && result_count == 0)) return;
    const bool pictures_only = text.empty() && frames == 0;
    const std::string transcript = pictures_only ? "" : text.empty() ? "some words" : text;
    if (result_only) {
      pieces = {"it ", "came ", "to ", results};
    } else if (pictures_only) {
      pieces = {"i ", "saw ", sizes};
    } else {
      pieces = text.empty() ? std::vector<std::string>{"i ", "heard ", "you"}
                            : std::vector<std::string>{"you ", "said ", text};
      if (images > 0) pieces.push_back(" and " + sizes);
    }
    if (newest >= 0) pieces.push_back(" now " + std::to_string(newest));
    wants_picture = options.max_response_images > 0 && text.find("draw") != std::string::npos;
    rows_told = -1;
    call.clear();
    call_parts_said = 0;
    if (!functions.empty() && text.find("call") != std::string::npos) {
      call = {"set_timer", " {\"minutes\":", "5}", ""};
    }
    level = static_cast<float>(std::atoi(transcript.c_str() + transcript.rfind(' ') + 1)) / 100.0f;
    responding = true;
    manner = options.manner;
    cancelled = false;
    may_be_cut = options.speak;
    said += (said.empty() ? "" : "|") + transcript;
    pieces_said = 0;
    frames_said = 0;
    frames_needed = options.unpaced_frames > 0 ? options.unpaced_frames : std::numeric_limits<int>::max();
    Say(TurnEnded{cause, transcript, frames, static_cast<int>(text.size()), texts, images, Clock::now(),
                  std::exchange(video, 0), 0, result_count, static_cast<int>(results.size())});
  }

  void Forget() {
    text.clear();
    texts = 0;
    images = 0;
    sizes.clear();
    results.clear();
    result_count = 0;
    frames = 0;
  }

  bool Drawing(const FakeEngineOptions& fake) const { return wants_picture && rows_told < fake.rows_drawn; }

  // The next piece or frame of the answer.
  void Answer(const FakeEngineOptions& fake, int frame_samples) {
    if (cancelled) return Done(ResponseEnd::kCancelled);
    const bool written = pieces_said == pieces.size() && call_parts_said == call.size() && !Drawing(fake);
    if (written && options.speak && frames_said >= frames_needed) return;
    if (pieces_said < pieces.size()) {
      Say(ResponseText{pieces[pieces_said++], Clock::now()});
    } else if (call_parts_said < call.size()) {
      const std::string& part = call[call_parts_said++];
      Say(ResponseCall{part, call_parts_said == call.size(), Clock::now()});
    } else if (Drawing(fake) && (!options.speak || rows_told < frames_said)) {
      const size_t codes = static_cast<size_t>(++rows_told * kImageGrid);
      Say(ResponseImage{0, std::vector<int>(codes, kCode), Clock::now()});
    } else if (options.speak && (fake.endless || frames_said < fake.answer_frames)) {
      ++frames_said;
      const auto samples = static_cast<size_t>(SamplesAt(manner.speed, frame_samples));
      const float sample = manner.voice == SpeechVoice::kLow ? -level : level;
      Say(ResponseAudio{std::vector<float>(samples, sample), Clock::now()});
    } else if (!fake.endless) {
      if (text.find("speak faster") != std::string::npos) {
        Say(MannerChosen{SpeechVoice::kLow, SpeechSpeed::kFast, Clock::now()});
      }
      Done(ResponseEnd::kCompleted);
    }
  }

  // A frame a word was heard.
  void Cut(int frames_heard) {
    const uint64_t answered = responding ? turn : turn - 1;
    cancelled = true;
    if (!std::exchange(may_be_cut, false)) return;
    std::string heard;
    for (size_t i = 0; i < pieces_said && static_cast<int>(i) < frames_heard; ++i) heard += pieces[i];
    const std::lock_guard lock(listener_mutex);
    if (listener) listener(answered, ResponseCut{std::min(frames_heard, frames_said), heard});
  }

  void Done(ResponseEnd end) {
    responding = false;
    Forget();
    const int drawn = rows_told == kImageGrid ? 1 : 0;
    const int calls = !call.empty() && call_parts_said == call.size() ? 1 : 0;
    Say(ResponseDone{end,
                     {},
                     static_cast<int>(pieces_said),
                     frames_said,
                     drawn,
                     40,
                     calls,
                     static_cast<int>(call_parts_said)});
    ++turn;
  }
};

class FakeEngine::FakeSequence final : public Sequence {
 public:
  FakeSequence(FakeEngine* engine, std::shared_ptr<State> state)
      : engine_(engine), state_(std::move(state)) {}

  ~FakeSequence() override {
    {
      const std::lock_guard lock(state_->listener_mutex);
      state_->listener = nullptr;
    }
    engine_->Post([engine = engine_, state = state_] { engine->states_.remove(state); });
    const std::lock_guard lock(engine_->mutex_);
    --engine_->open_;
    engine_->changed_.notify_all();
  }

  void Configure(const SequenceOptions& options) override {
    engine_->Post([state = state_, options] { state->options = options; });
  }
  Status AppendFrame(std::span<const float> samples, TimePoint) override {
    if (samples.size() != static_cast<size_t>(engine_->model_.frame_samples)) return InvalidArgument("size");
    if (state_->frames_waiting >= engine_->options_.max_pending_frames) return ResourceExhausted("no room");
    ++state_->frames_waiting;
    engine_->Post([state = state_, &options = engine_->options_] {
      if (!state->responding) {
        std::this_thread::sleep_for(options.hearing);
        state->Hear(options.frames_of_turn);
      }
      --state->frames_waiting;
      state->Say(RoomForFrames{1});
    });
    return OkStatus();
  }
  Status AppendText(const std::string& text) override {
    engine_->Post([state = state_, text] {
      if (state->responding) return;
      state->text += text;
      ++state->texts;
    });
    return OkStatus();
  }
  Status AppendImage(const Image& image) override {
    const std::string size = std::to_string(image.width) + "x" + std::to_string(image.height);
    engine_->Post([state = state_, size] {
      if (state->responding) return;
      if (state->images++ > 0) state->sizes += " ";
      state->sizes += size;
    });
    return OkStatus();
  }
  Status AppendVideoFrame(const Image& image) override {
    engine_->Post([state = state_, level = static_cast<int>(image.rgb.at(0))] {
      ++state->video;
      state->newest = level;
    });
    return OkStatus();
  }
  Status DeclareFunctions(const std::string& signatures) override {
    engine_->Post([state = state_, signatures] { state->functions = signatures; });
    return OkStatus();
  }
  Status Instruct(const std::string& text) override { return engine_->Instruct(text); }
  Status AppendFunctionResult(const std::string& text) override {
    engine_->Post([state = state_, text] {
      if (state->responding) return;
      state->results += text;
      ++state->result_count;
    });
    return OkStatus();
  }
  void EndTurn(TurnEndCause cause) override {
    engine_->Post([state = state_, cause] { state->EndTurn(cause); });
  }
  void ClearTurn() override {
    engine_->Post([state = state_] {
      if (!state->responding) state->Forget();
      state->Say(TurnCleared{});
    });
  }
  void Cancel() override {
    engine_->Post([state = state_] { state->cancelled = true; });
  }
  Result<std::unique_ptr<Sequence>> Fork(const ForkOptions& options) override {
    if (!engine_->options_.forks) return Sequence::Fork(options);
    auto state = std::make_shared<State>();
    state->turn = options.first_turn;
    {
      const std::lock_guard lock(state_->listener_mutex);
      state->listener = state_->listener;
    }
    {
      const std::lock_guard lock(engine_->mutex_);
      ++engine_->open_;
    }
    engine_->Post([engine = engine_, state] { engine->states_.push_back(state); });
    return std::unique_ptr<Sequence>(std::make_unique<FakeSequence>(engine_, std::move(state)));
  }
  // The text of the turns answered so far.
  void Export() override {
    engine_->Post([state = state_] { state->Say(SequenceExported{"fake:" + state->said}); });
  }
  Status Restore(std::string_view bytes, bool /*in_response*/, int* positions) override {
    if (!bytes.starts_with("fake:")) return InvalidArgument("the bytes are no exported session");
    *positions = static_cast<int>(bytes.size());
    engine_->Post([state = state_, said = std::string(bytes.substr(5))] { state->said = said; });
    return OkStatus();
  }
  void CutResponse(int frames) override {
    engine_->Post([state = state_, frames] { state->Cut(frames); });
  }
  void PaceSpeech(int frames, TimePoint) override {
    engine_->Post([state = state_, frames] {
      if (state->responding) state->frames_needed = std::max(state->frames_needed, frames);
    });
  }

 private:
  FakeEngine* const engine_;
  const std::shared_ptr<State> state_;
};

FakeEngine::FakeEngine(const FakeEngineOptions& options) : options_(options) {
  model_.name = "fake";
  model_.version = "v1";
  model_.parameters = 1234;
  model_.sample_rate = 16000;
  model_.frame_samples = 1280;
  model_.codebook_sizes = {1024, 512, 512, 512};
  model_.vocabulary_size = 600;
  model_.max_positions = 4096;
  model_.image_side = options.image_side;
  model_.manners = options.manners;
  model_.calls_functions = options.calls_functions;
  model_.max_instruction_pieces = options.max_instruction_pieces;
  model_.image_grid = options.image_side > 0 ? kImageGrid : 0;
  thread_ = std::thread(&FakeEngine::Run, this);
}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<std::unique_ptr<Sequence>> FakeEngine::Open(const SequenceOptions& options,
                                                   SequenceListener listener) {
  auto state = std::make_shared<State>();
  state->options = options;
  state->listener = std::move(listener);
  {
    const std::lock_guard lock(mutex_);
    if (open_ == options_.max_sequences) return ResourceExhausted("the engine is full");
    ++open_;
    best_effort_opened_ += options.best_effort ? 1 : 0;
    changed_.notify_all();
  }
  Post([this, state] { states_.push_back(state); });
  return std::unique_ptr<Sequence>(std::make_unique<FakeSequence>(this, std::move(state)));
}

Result<Image> FakeEngine::PaintImage(std::span<const int> codes) const {
  const auto side = static_cast<size_t>(options_.image_side);
  const size_t cell = side / kImageGrid;
  Image image{.width = options_.image_side,
              .height = options_.image_side,
              .rgb = std::vector<uint8_t>(3 * side * side, 255)};
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const size_t pixel = i / 3;
    const size_t code = pixel / side / cell * kImageGrid + pixel % side / cell;
    if (code >= codes.size()) continue;
    const auto noise = static_cast<uint32_t>(i) * 2654435761u + static_cast<uint32_t>(codes[code]);
    image.rgb[i] = static_cast<uint8_t>(noise >> 24 ^ noise >> 11);
  }
  return image;
}

EngineStatistics FakeEngine::statistics() const {
  const std::lock_guard lock(mutex_);
  EngineStatistics statistics;
  statistics.open_sequences = open_;
  return statistics;
}

Status FakeEngine::Instruct(const std::string& text) {
  if (std::ssize(text) > options_.max_instruction_pieces) {
    return InvalidArgument("there are " + std::to_string(text.size()) + " pieces");
  }
  const std::lock_guard lock(mutex_);
  instructions_ = text;
  return OkStatus();
}

std::string FakeEngine::instructions() const {
  const std::lock_guard lock(mutex_);
  return instructions_;
}

int FakeEngine::best_effort_opened() const {
  const std::lock_guard lock(mutex_);
  return best_effort_opened_;
}

bool FakeEngine::WaitForSequences(int count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return open_ == count; });
}

bool FakeEngine::WaitForSpokenFrames(int count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return frames_spoken_ >= count; });
}

void FakeEngine::Post(std::function<void()> command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(std::move(command));
  changed_.notify_all();
}

void FakeEngine::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, options_.step, [this] { return stopping_ || !commands_.empty(); });
    std::deque<std::function<void()>> commands = std::exchange(commands_, {});
    lock.unlock();
    for (const auto& command : commands) command();
    const int spoken = Step();
    lock.lock();
    frames_spoken_ += spoken;
    if (spoken > 0) changed_.notify_all();
  }
}

int FakeEngine::Step() {
  int spoken = 0;
  for (const auto& state : states_) {
    if (!state->responding) continue;
    const int before = state->frames_said;
    state->Answer(options_, model_.frame_samples);
    spoken += state->frames_said - before;
  }
  return spoken;
}

}  // namespace antiphon
