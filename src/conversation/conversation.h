// One conversation: takes what the client and the engine say, decides whose turn it is, tells both.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/client_event.h"
#include "conversation/conversation_state.h"
#include "conversation/ear.h"
#include "conversation/function_calls.h"
#include "conversation/image_output.h"
#include "conversation/input_decoder.h"
#include "conversation/interruption_judge.h"
#include "conversation/response.h"
#include "conversation/response_playback.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"
#include "conversation/turn_ledger.h"
#include "conversation/video_input.h"

namespace antiphon {

struct SessionSnapshot;

struct ConversationOptions {
  std::string session_id;
  int max_session_seconds = 0;                     // told to the client; its owner keeps it
  std::chrono::milliseconds longest_turn{30'000};  // of speech; a longer one is ended
  std::chrono::milliseconds noise_timeout{1'500};  // silence after a voice without words that makes it noise
  bool words_interrupt = true;  // what is said into an answer decides what it is; false: its sound alone
};

// The turn state machine (conversation_state.h) with everything that hangs on its moves. Knows no transport
// and no thread: its owner calls it from one thread at a time, and passes what the sequence's listener was
// told on to OnEngineEvent in the same order. All it has to say goes to the sink, during the calls.
class Conversation {
 public:
  // `clock` and `sink` outlive the conversation, and so does what `painter` refers to; it is called for a
  // model that knows pictures only, on the owner's thread. The sequence is freed with the conversation, or at
  // once on failure: INVALID_ARGUMENT for a model whose audio this server cannot listen for.
  static Result<std::unique_ptr<Conversation>> Create(ConversationOptions options,
                                                      const ModelDescription& model,
                                                      std::unique_ptr<Sequence> sequence,
                                                      ImagePainter painter, const Clock& clock,
                                                      EventSink& sink);

  // Sends SessionCreated. Call once, first.
  void Start();

  // False while audio is held back: the session is being exported, the engine has no room for it, or a
  // cancelled response is still stopping and 2 s of what is said meanwhile are kept. Only the engine's events
  // change that. What a user says into an answer is kept until it is known whether that is a turn, and holds
  // nothing back.
  bool accepts_input() const;

  // REQUIRES: accepts_input().
  void OnClientEvent(const ClientEvent& event);
  void OnEngineEvent(uint64_t turn, SequenceEvent event);
  // No client event follows. REQUIRES: accepts_input().
  void OnHalfClose() { half_closed_ = true; }
  // The client was away and is back: the silence until now was not the user's. Tick was not called meanwhile.
  void OnClientBack();
  // Lets time pass: call every 50 ms or so while wants_ticks(), and when speech_due() has come, behind the
  // client events that can be taken.
  void Tick();
  // When more of the response's speech may be sent, TimePoint::max() if that is not known or none waits.
  // Every event may change it.
  TimePoint speech_due() const;
  // From now on speech is sent as soon as it is made: the session is to end soon.
  void StopPacing();

  // Pictures of the response are to be painted. They take some 15 ms each: call Paint, which paints one, only
  // when no event waits to be passed on. What is left when the response ends is painted then.
  bool wants_to_paint() const {
    return state_ == ConversationState::kResponding && response_->wants_to_paint();
  }
  // REQUIRES: wants_to_paint().
  void Paint();

  bool wants_ticks() const {
    return state_ == ConversationState::kHearing || interruption_ || decoder_.waiting();
  }
  // A response was asked for and has not ended.
  bool response_due() const {
    return state_ != ConversationState::kWaiting && state_ != ConversationState::kTyping &&
           state_ != ConversationState::kHearing;
  }
  // The client has half-closed and nothing more will be said.
  bool finished() const { return half_closed_ && !response_due(); }
  ConversationState state() const { return state_; }

  // What one kind of client event is answered with: nothing, or the mistake in it.
  using Answer = std::optional<Refusal>;

 private:
  using Packet = DecodedPacket;
  // A voice set in while an answer was being played.
  struct VoiceInAnswer {
    uint64_t onset = 0;                                  // its first sample
    TimePoint received{};                                // ... and its arrival
    bool is_turn = false;                                // the answer is cut; false: that is still to be seen
    std::unique_ptr<InterruptionJudge> judge = nullptr;  // until then; null: its sound decides
  };
  // Why the last answer that was cut was.
  struct Cut {
    server_event::InterruptedBy by = server_event::InterruptedBy::kCancel;
    Nanoseconds since_onset{0};
  };
  enum class ExportState { kNone, kWanted, kAsked };
  // What a turn has besides speech.
  struct Content {
    int texts = 0;
    int images = 0;
    int outputs = 0;     // of functions
    bool reply = false;  // one of them is to be answered at once
    bool empty() const { return texts == 0 && images == 0 && outputs == 0; }
  };

  Conversation(ConversationOptions options, const ModelDescription& model, std::unique_ptr<Sequence> sequence,
               ImagePainter painter, const Clock& clock, EventSink& sink, Ear ear);

  // Makes a move that is legal here.
  void Make(Move move);
  bool MayMake(Move move) const { return Next(state_, move).has_value(); }
  void Refuse(Refusal refusal, std::string event_id);

  // Client events: conversation.cc.
  Answer Take(const client_event::Unknown& unknown, TimePoint received);
  Answer Take(const client_event::SessionUpdate& update, TimePoint received);
  Answer Take(const client_event::AudioAppend& append, TimePoint received);
  Answer Take(const client_event::TextAppend& append, TimePoint received);
  Answer Take(const client_event::ImageAppend& append, TimePoint received);
  Answer Take(const client_event::VideoFrame& frame, TimePoint received);
  Answer Take(const client_event::Commit& commit, TimePoint received);
  Answer Take(const client_event::Clear& clear, TimePoint received);
  Answer Take(const client_event::Cancel& cancel, TimePoint received);
  Answer Take(const client_event::PlaybackPosition& position, TimePoint received);
  Answer Take(const client_event::ExportSession& wish, TimePoint received);
  Answer Take(const client_event::ImportSession& import, TimePoint received);
  Answer Instruct(const std::string& instructions);
  void Configure();
  static Refusal WrongMoment(std::string message) { return {FailedPrecondition(std::move(message)), ""}; }
  void TakeEngineEvent(uint64_t turn, SequenceEvent event);

  // The model's calls of functions: conversation_functions.cc.
  Answer Take(const client_event::FunctionCallOutput& output, TimePoint received);
  void DeclareFunctions();
  Answer GiveOutput(const client_event::FunctionCallOutput& output);
  void ReplyToOutputs();

  // Out of this process and into it: conversation_transfer.cc.
  // The engine is about to say how a turn or a response ends.
  bool settles() const {
    return state_ == ConversationState::kEnding || state_ == ConversationState::kCancelling;
  }
  void AskForExport();
  void On(const SequenceExported& exported);
  SessionSnapshot Snapshot(const std::string& sequence) const;
  Status Restore(SessionSnapshot snapshot, int* positions);
  void ListenOn(SessionSnapshot& snapshot);
  Status RestoreResponse(SessionSnapshot snapshot);

  // The user's turn: conversation_turn.cc.
  void TakeIn(std::vector<Packet> packets);
  void Hear(const Packet& packet);
  std::optional<int64_t> SpeechPlayedAt(TimePoint then) const;
  void PassOn();
  void On(const VoiceStarted& started);
  void On(const VoiceStopped& stopped);
  void On(const GatedFrame& frame);
  void On(const LongSilenceNear& near);
  void On(const LongSilence& silence);
  void On(const TranscriptDelta& delta);
  void On(const InputRefused& refused);
  void On(const TurnCleared& cleared);
  void On(const RoomForFrames& room);
  void ShowHeldVideo();
  void ResetEar();
  void CheckSilence();
  bool MayBeOver(const Heard& heard) const;
  bool IsNoise(Nanoseconds silence) const;
  bool ModelHadTimeForWords(std::chrono::milliseconds time) const;
  // `flush`: the frame begun belongs to the turn.
  void EndTurn(TurnEndCause cause, bool flush = true);
  void EndVoice();
  void LoseTurn(Refusal refusal);
  void ForgetTurn();
  void BeginTurns();
  uint64_t SamplesWhileCancelling() const;
  // Samples of the session that were heard or dropped.
  uint64_t SamplesPassed() const { return decoder_.samples() - samples_ahead_ - SamplesWhileCancelling(); }

  // The response: conversation_response.cc.
  void BeginResponse(uint64_t turn, const TurnEnded& ended);
  void On(const ResponseText& text);
  void On(const ResponseAudio& audio);
  void On(const ResponseImage& image);
  void On(const MannerChosen& chosen);
  void On(const ResponseDone& done);
  std::chrono::milliseconds MaxLead() const {
    return std::chrono::milliseconds(paced_ ? config_.max_lead_ms : kMaxLeadMs);
  }
  void KeepPace();
  void AskForSpeech();
  void SendTheRest();
  void EndResponse(const ResponseDone& done);
  void FailResponse(const Status& status);
  void StopResponse();
  void DropResponse();
  void CutAnswer();

  // The user's voice during an answer: conversation_interruption.cc.
  bool AnswerIsPlaying() const;
  void BeginInterruption();
  VoiceSound SoundOfInterruption() const;
  void JudgeInterruption();
  void OnForkEvent(uint64_t turn, const SequenceEvent& event);
  void Interrupt(server_event::InterruptedBy by);
  void ResumePlayback();
  void ForgetInterruption();
  void OnCut(uint64_t turn, const ResponseCut& cut);

  const ConversationOptions options_;
  const ModelDescription model_;
  const ImagePainter painter_;
  const Clock& clock_;
  EventSink& sink_;
  SessionConfig config_;
  ConversationState state_ = ConversationState::kWaiting;
  bool begun_ = false;  // a turn was, whatever became of it
  bool half_closed_ = false;
  std::string event_id_;  // of the client event that is being taken
  InputDecoder decoder_;
  uint64_t samples_ahead_ = 0;  // decoded, but behind a packet that is being heard
  Ear ear_;
  TurnLedger ledger_;
  VideoInput video_;
  FunctionCalls calls_;

  // The open turn.
  bool voice_told_ = false;  // SpeechStarted was sent and SpeechStopped was not
  Content content_;
  bool has_words_ = false;  // something was recognised
  int frames_heard_ = 0;    // passed to the engine
  // ClearTurn calls the engine has yet to carry out: what it still tells of input is of a turn forgotten.
  int clears_under_way_ = 0;
  // Waits for the engine to have room, in order; behind it the end of the turn, if it has come to that.
  std::deque<Heard> heard_;
  std::optional<TurnEndCause> turn_end_;
  TimePoint caught_up_;     // when all that was heard had been passed on
  int frames_waiting_ = 0;  // passed to the engine, of this turn or not, and neither run nor dropped yet

  // The response.
  bool imported_ = false;
  ExportState export_ = ExportState::kNone;  // of the session; until it is done no input is taken
  std::string export_event_id_;              // what asked for it
  std::vector<float> last_samples_;          // of an imported session, yet to be heard
  SessionConfig response_config_;            // of the response under way, or the last
  uint64_t responses_ = 0;
  uint64_t response_turn_ = 0;          // the engine's number of its turn; other results are late ones
  Content content_too_late_;            // came after the engine had ended the turn: of the next one
  bool cancel_wanted_ = false;          // the client cancelled between its commit and TurnEnded
  std::optional<Status> output_fault_;  // what kept its speech or pictures from being encoded
  server_event::Usage usage_;
  bool paced_ = true;
  std::unique_ptr<Response> response_;        // while it is under way
  int speech_asked_for_ = 0;                  // of its frames
  std::optional<ResponseDone> made_;          // the engine's last word on it: what waits is yet to be sent
  std::optional<ResponsePlayback> playback_;  // of that one, or of the last
  Cut cut_;
  // Until it is over, what is heard stays in heard_.
  std::optional<VoiceInAnswer> interruption_;
  uint64_t forks_ = 0;  // of the sequence, so far: the upper half of the numbers of a fork's turns
  std::vector<Packet> said_while_cancelling_;

  // Last, so that it is freed first.
  std::unique_ptr<Sequence> sequence_;
};

}  // namespace antiphon
