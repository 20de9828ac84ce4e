#include "bench/moves.h"

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <variant>

#include "antiphon/client.h"

namespace antiphon::bench {
namespace {

constexpr size_t kPacketSamples = 480;  // 20 ms
constexpr double kSamplesPerMs = 24.0;

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

// One conversation from its opening to its end. Moves behind the `move_at`th of what is sent and received;
// 0: never.
class Mover {
 public:
  Mover(client::Client& from, client::Client& to, const MovesOptions& options, int move_at,
        Transcription* told, Move* move)
      : from_(from), to_(to), options_(options), move_at_(move_at), told_(*told), move_(*move) {}

  Status Converse() {
    auto opened = from_.Open(RepeatableConversation());
    if (!opened.ok()) return opened.status();
    conversation_ = std::move(*opened);
    for (const std::string& request : options_.requests) {
      if (Status status = conversation_->AppendText(request); !status.ok()) return status;
      if (Status status = CommitAndListen(); !status.ok()) return status;
    }
    if (!options_.speech.empty()) {
      if (Status status = Speak(); !status.ok()) return status;
      if (Status status = CommitAndListen(); !status.ok()) return status;
    }
    if (Status status = conversation_->FinishInput(); !status.ok()) return status;
    while (!closed_) {
      if (Status status = Next(); !status.ok()) return status;
    }
    return closed_->status;
  }

  int moments() const { return moments_; }

 private:
  Status Speak() {
    const std::span<const float> speech(options_.speech);
    speaking_ = true;
    for (size_t begin = 0; begin < speech.size(); begin += kPacketSamples) {
      const size_t count = std::min(kPacketSamples, speech.size() - begin);
      if (Status status = conversation_->AppendAudio(speech.subspan(begin, count)); !status.ok())
        return status;
      if (Status status = Passed(); !status.ok()) return status;
    }
    speaking_ = false;
    return OkStatus();
  }

  // To the end of the response.
  Status CommitAndListen() {
    if (Status status = conversation_->Commit(); !status.ok()) return status;
    const int responses = responses_;
    while (responses_ == responses && !closed_) {
      if (Status status = Next(); !status.ok()) return status;
    }
    if (!closed_) return OkStatus();
    return Unavailable("the conversation ended: " + closed_->status.ToString());
  }

  Status Next() {
    const Result<client::Event> event = conversation_->NextEvent(options_.timeout);
    if (!event.ok()) return event.status();
    if (Status status = Note(*event); !status.ok()) return status;
    return Passed();
  }

  Status Passed() { return ++moments_ == move_at_ ? Migrate() : OkStatus(); }

  // What the first server says behind SessionExported the other one will say.
  Status Migrate() {
    const Clock::time_point begin = Clock::now();
    if (Status status = conversation_->Export(); !status.ok()) return status;
    std::string snapshot;
    while (snapshot.empty() && !closed_) {
      Result<client::Event> event = conversation_->NextEvent(options_.timeout);
      if (!event.ok()) return event.status();
      if (auto* exported = std::get_if<client::SessionExported>(&event->body)) {
        snapshot = std::move(exported->snapshot);
      } else if (Status status = Note(*event); !status.ok()) {
        return status;
      }
    }
    if (closed_) return closed_->status;
    move_.bytes = snapshot.size();
    move_.in_response = responding_;
    move_.in_speech = speaking_;
    auto opened = to_.Open(RepeatableConversation());
    if (!opened.ok()) return opened.status();
    conversation_->Close();
    conversation_ = std::move(*opened);
    if (Status status = conversation_->Import(std::move(snapshot)); !status.ok()) return status;
    move_.moved = true;
    moved_at_ = begin;
    return OkStatus();
  }

  Status Note(const client::Event& event) {
    if (std::holds_alternative<client::SessionImported>(event.body)) {
      imported_ = true;
      return OkStatus();
    }
    if (std::holds_alternative<client::SessionUpdated>(event.body)) return OkStatus();
    if (imported_ && !move_.outage_ms) move_.outage_ms = Milliseconds(Clock::now() - *moved_at_);
    if (std::holds_alternative<client::ResponseStarted>(event.body)) {
      responding_ = true;
      playing_since_.reset();
      if (imported_) later_ = true;
    } else if (const auto* audio = std::get_if<client::AudioDelta>(&event.body)) {
      NoteMargin(*audio);
    } else if (std::holds_alternative<client::ResponseDone>(event.body)) {
      ++responses_;
      responding_ = false;
    } else if (const auto* closed = std::get_if<client::Closed>(&event.body)) {
      closed_ = *closed;
    }
    return AddTo(event, &told_);
  }

  // How much of the answer was still to be played when more of it came.
  void NoteMargin(const client::AudioDelta& audio) {
    const Clock::time_point now = Clock::now();
    if (!playing_since_) playing_since_ = now;
    if (!move_.in_response || !move_.moved || later_) return;
    const double margin =
        static_cast<double>(audio.first_sample) / kSamplesPerMs - Milliseconds(now - *playing_since_);
    move_.least_margin_ms = std::min(move_.least_margin_ms.value_or(margin), margin);
  }

  client::Client& from_;
  client::Client& to_;
  const MovesOptions& options_;
  const int move_at_;
  Transcription& told_;
  Move& move_;
  std::unique_ptr<client::Conversation> conversation_;
  std::optional<client::Closed> closed_;
  std::optional<Clock::time_point> moved_at_;
  std::optional<Clock::time_point> playing_since_;
  bool imported_ = false;
  bool responding_ = false;
  bool speaking_ = false;
  bool later_ = false;  // than the answer that was under way at the move
  int responses_ = 0;
  int moments_ = 0;
};

}  // namespace

Result<Moves> RunMoves(const MovesOptions& options, const MoveListener& listener) {
  auto from = client::Client::Connect(options.from, {});
  if (!from.ok()) return from.status();
  auto to = client::Client::Connect(options.to, {});
  if (!to.ok()) return to.status();
  Moves results;
  Move none;
  Mover unmoved(**from, **to, options, 0, &results.undisturbed, &none);
  if (Status status = unmoved.Converse(); !status.ok()) return status;
  results.moments = unmoved.moments();
  // The last event says that it is over: a move behind it would be none. How many come before depends a
  // little on the pieces in which the audio does.
  const int last = std::max(1, results.moments * 9 / 10);
  std::mt19937 random(options.seed);
  std::uniform_int_distribution<int> moments(1, last);
  for (int i = 0; i < options.trials; ++i) {
    Move one;
    one.moment = moments(random);
    Transcription told;
    one.status = Mover(**from, **to, options, one.moment, &told, &one).Converse();
    one.same_text = told.SameText(results.undisturbed);
    one.same_audio = told.audio == results.undisturbed.audio;
    results.all.push_back(std::move(one));
    if (listener) listener(results.all.back(), i + 1);
  }
  return results;
}

}  // namespace antiphon::bench
