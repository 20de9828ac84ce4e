// A conversation that is carried over: out of this process, or into it.
#include <algorithm>
#include <chrono>
#include <utility>

#include "conversation/conversation.h"
#include "conversation/session_snapshot.h"

namespace antiphon {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

// A client that goes on speaks and listens in formats of its own, which it has told already.
Status KeepFormats(const SessionConfig& ours, SessionSnapshot* snapshot) {
  SessionConfig& config = snapshot->config;
  const bool heard = snapshot->playback && snapshot->response_config.output != ours.output;
  if (config.input == ours.input && config.output == ours.output && !heard) return OkStatus();
  if (snapshot->playback || snapshot->state == ConversationState::kHearing) {
    return FailedPrecondition(
        "the session stands in a voice or in an answer of other audio formats: set those first");
  }
  snapshot->input_samples = snapshot->input_samples * static_cast<uint64_t>(ours.input.sample_rate) /
                            static_cast<uint64_t>(config.input.sample_rate);
  snapshot->last_samples.clear();
  config.input = ours.input;
  config.output = ours.output;
  return OkStatus();
}

}  // namespace

// Input is held back meanwhile: all that the client had sent is in the snapshot, and nothing behind it.
Conversation::Answer Conversation::Take(const client_event::ExportSession&, TimePoint) {
  export_ = ExportState::kWanted;
  export_event_id_ = event_id_;
  AskForExport();
  return std::nullopt;
}

// The engine is about to say how a turn or a response ends; that is waited for.
void Conversation::AskForExport() {
  if (export_ != ExportState::kWanted || settles()) return;
  export_ = ExportState::kAsked;
  sequence_->Export();
}

void Conversation::On(const SequenceExported& exported) {
  if (export_ != ExportState::kAsked) return;
  if (settles()) {
    export_ = ExportState::kWanted;  // it went on before it was asked
    return AskForExport();
  }
  export_ = ExportState::kNone;
  if (exported.bytes.empty()) {
    Refuse(
        {FailedPrecondition("what came as the response began waits for its end: export behind ResponseDone"),
         ""},
        std::exchange(export_event_id_, {}));
  } else {
    sink_.Send(server_event::SessionExported{WriteSessionSnapshot(Snapshot(exported.bytes))});
  }
  PassOn();
}

SessionSnapshot Conversation::Snapshot(const std::string& sequence) const {
  const TimePoint now = clock_.Now();
  SessionSnapshot snapshot;
  snapshot.state = state_;
  snapshot.config = config_;
  snapshot.sequence = sequence;
  snapshot.input_samples = decoder_.samples();
  if (state_ != ConversationState::kResponding || playback_->overheard()) {
    snapshot.last_samples = ear_.LastSamples(state_ == ConversationState::kHearing);
  }
  snapshot.voice_told = voice_told_;
  snapshot.voice_end = ear_.last_voice() ? std::min(ear_.last_voice()->end, decoder_.samples()) : 0;
  snapshot.texts = content_.texts;
  snapshot.images = content_.images;
  snapshot.outputs = content_.outputs;
  snapshot.reply = content_.reply;
  snapshot.has_words = has_words_;
  snapshot.frames_heard = frames_heard_;
  snapshot.responses = responses_;
  snapshot.calls = calls_.state();
  snapshot.usage = usage_;
  snapshot.age_us = duration_cast<microseconds>(now - ledger_.session_created()).count();
  snapshot.ledger = ledger_.moments();
  snapshot.response_config = response_config_;
  if (playback_ && playback_->AudibleAt(now)) snapshot.playback = playback_->meter().Save(now);
  if (response_) {
    snapshot.playback = playback_->meter().Save(now);
    snapshot.response = response_->Save();
    snapshot.made = made_;
  }
  return snapshot;
}

Conversation::Answer Conversation::Take(const client_event::ImportSession& import, TimePoint) {
  if (state_ != ConversationState::kWaiting || responses_ > 0 || imported_) {
    return WrongMoment("a session is imported into one in which nothing has been said");
  }
  if (!config_.instructions.empty()) {
    return WrongMoment("a session is imported into one without instructions: it brings its own");
  }
  const std::string field = "import_session.snapshot";
  int positions = 0;
  if (!IsSessionSnapshot(import.snapshot)) {  // as older servers exported it, without its settings
    Status restored = sequence_->Restore(import.snapshot, /*in_response=*/false, &positions);
    if (!restored.ok()) return Refusal{std::move(restored), field};
  } else {
    Result<SessionSnapshot> snapshot = ReadSessionSnapshot(import.snapshot, model_);
    if (!snapshot.ok()) return Refusal{snapshot.status(), field};
    if (Status restored = Restore(*std::move(snapshot), &positions); !restored.ok()) {
      return Refusal{std::move(restored), field};
    }
    sink_.Send(server_event::SessionUpdated{config_});
  }
  imported_ = true;
  sink_.Send(server_event::SessionImported{positions});
  if (!last_samples_.empty()) TakeIn({DecodedPacket{std::exchange(last_samples_, {}), clock_.Now()}});
  KeepPace();
  ReplyToOutputs();
  return std::nullopt;
}

// Nothing has changed if it fails.
Status Conversation::Restore(SessionSnapshot snapshot, int* positions) {
  if (Status status = KeepFormats(config_, &snapshot); !status.ok()) return status;
  InputDecoder decoder;
  if (Status status = decoder.SetFormat(snapshot.config.input); !status.ok()) return status;
  decoder.StartAt(snapshot.input_samples);
  const SessionConfig before = std::exchange(config_, snapshot.config);
  Configure();  // first: the sequence goes on with these options
  const bool in_response = snapshot.state == ConversationState::kResponding && !snapshot.made;
  if (Status status = sequence_->Restore(snapshot.sequence, in_response, positions); !status.ok()) {
    config_ = before;
    Configure();
    return status;
  }
  decoder_ = std::move(decoder);
  const TimePoint now = clock_.Now();
  state_ = snapshot.state;
  voice_told_ = snapshot.voice_told;
  content_ = {.texts = snapshot.texts,
              .images = snapshot.images,
              .outputs = snapshot.outputs,
              .reply = snapshot.reply};
  has_words_ = snapshot.has_words;
  frames_heard_ = snapshot.frames_heard;
  responses_ = snapshot.responses;
  response_turn_ = 1;  // of a sequence that is restored
  calls_.Restore(std::move(snapshot.calls));
  usage_ = snapshot.usage;
  ledger_.Restore(now - microseconds(snapshot.age_us), snapshot.ledger);
  ListenOn(snapshot);
  return RestoreResponse(std::move(snapshot));
}

void Conversation::ListenOn(SessionSnapshot& snapshot) {
  const uint64_t first = snapshot.input_samples - snapshot.last_samples.size();
  if (state_ == ConversationState::kHearing) {
    ear_.ResumeOpen(config_.input.sample_rate, first, snapshot.voice_end, clock_.Now());
  } else {
    ear_.Reset(config_.input.sample_rate, first);
  }
  caught_up_ = clock_.Now();
  last_samples_ = std::move(snapshot.last_samples);
}

Status Conversation::RestoreResponse(SessionSnapshot snapshot) {
  response_config_ = std::move(snapshot.response_config);
  if (!snapshot.playback) return OkStatus();
  const std::string id = "response-" + std::to_string(responses_);
  playback_.emplace(id, response_config_, model_);
  playback_->meter().Restore(clock_.Now(), *snapshot.playback);
  // The speech made so far is not known here: its echo is heard.
  const int64_t frame = SamplesAt(response_config_.manner.speed, model_.frame_samples);
  const int64_t sent = static_cast<int64_t>(snapshot.playback->sent) * model_.sample_rate /
                       response_config_.output.sample_rate;
  ear_.enhancer().BeginResponse(false, snapshot.response ? snapshot.response->frames * frame : sent);
  if (!snapshot.response) return OkStatus();
  response_ = std::make_unique<Response>(id, response_config_, model_, painter_, clock_, sink_, ledger_,
                                         playback_->meter());
  made_ = std::move(snapshot.made);
  if (Status status = response_->Restore(*std::move(snapshot.response)); !status.ok()) FailResponse(status);
  return OkStatus();
}

}  // namespace antiphon
