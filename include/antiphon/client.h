// The client: conversations with an antiphond server. include/antiphon/ask.h adds "one question, one answer".
//
//   auto client = client::Client::Connect("127.0.0.1:50051", {});
//   auto conversation = (*client)->Open({});
//   (*conversation)->AppendText("what is two plus three");
//   (*conversation)->Commit();
//   while (true) {
//     Result<client::Event> event = (*conversation)->NextEvent(std::chrono::seconds(10));
//     if (!event.ok() || std::holds_alternative<client::ResponseDone>(event->body)) break;
//   }
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "antiphon/replay.h"
#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon::client {

enum class AudioEncoding { kPcm16, kOpus, kG711Ulaw, kG711Alaw };

// Mono.
struct AudioFormat {
  AudioEncoding encoding = AudioEncoding::kPcm16;
  // In Hz. PCM16: 8000, 16000, 24000 or 48000; Opus: 24000 or 48000; G.711: 8000.
  int sample_rate = 24000;
  // Of Opus, how many of 100 packets are lost on their way, 0 to 30: above 0 packets of speech carry copies
  // of the ones before (in-band FEC). gRPC loses none: this is for whoever passes packets on.
  int expected_loss_percent = 0;
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

enum class TurnDetectionMode {
  kNone,       // only Commit ends a turn
  kSemantic,   // the model judges
  kServerVad,  // silence ends it
};

// How soon the model takes its turn, and how long it is waited for.
enum class Eagerness { kLow, kMedium, kHigh };

// How the user's turn is found. What is 0 or unset is the server's default; those of another mode have no
// effect. conversation.proto says what each does, and when a change takes effect within a turn.
struct TurnDetection {
  TurnDetectionMode mode = TurnDetectionMode::kSemantic;
  float threshold = 0.0f;  // semantic: probability in (0, 1) from which the model takes its turn
  // Semantic: silence that ends a turn in any case, 200 to 10000. Server VAD: after it a client that sends
  // nothing is silent.
  int max_silence_ms = 0;
  std::optional<Eagerness> eagerness{};    // semantic
  int silence_duration_ms = 0;             // server VAD: silence that ends a turn, 200 to 5000
  std::optional<int> prefix_padding_ms{};  // heard from before a voice, 0 to 1000
  std::optional<float> vad_threshold{};    // how sure voice activity must be, 0 to 1
};

// What the user's voice does to an answer that is being played.
struct Interruption {
  enum class Policy { kOff, kCautious, kEager };
  Policy policy = Policy::kCautious;
  // Cautious: a voice that goes on so long cuts it at any word but a backchannel, 100 to 3000 ms; 0: the
  // server's default.
  int min_voice_ms = 0;
};

// How much of a steady noise the server takes out of the user's audio.
enum class NoiseSuppression { kOff, kLow, kModerate, kHigh };

// What else it takes out of it: conversation.proto, SpeechEnhancement.
struct SpeechEnhancement {
  NoiseSuppression noise_suppression = NoiseSuppression::kOff;
  bool echo_cancellation = false;  // the echo of answers, for clients that send without pause
};

// A function that the model may call: the client carries calls out. Limits: conversation.proto.
struct Function {
  std::string name;           // a-z, 0-9 and _
  std::string description{};  // not read by every model
  std::string parameters{};   // a JSON Schema of an object, as text; empty: it has none
};

// A lead of the length of the longest answer: all of it at once.
constexpr int kLongestLeadMs = 60'000;

// Settings that may change during a conversation. What is unset stays as it is on the server.
struct SessionSettings {
  std::optional<bool> speak{};  // false: no speech
  // Answers may have a picture. Only for a model that draws (ModelInfo::draws): of another the server refuses
  // the settings with UNIMPLEMENTED. At the start it is off if only `speak` is set; if neither is, answers
  // are made of all that the model can.
  std::optional<bool> draw{};
  std::optional<TurnDetection> turn_detection{};
  std::optional<SamplingOptions> sampling{};
  std::optional<int> max_response_seconds{};  // of speech, 1 to 60
  std::optional<int> max_video_frames{};      // the latest that stay in the model's context, 1 to 8
  std::optional<std::string> voice{};         // one of ModelInfo::voices, from the next response on
  std::optional<SpeechSpeed> speed{};         // one of ModelInfo::speeds, likewise
  std::optional<Interruption> interruption{};
  std::optional<int>
      playback_delay_ms{};  // from the arrival of an answer's audio to its being played, 0 to 2000
  // How far ahead of its playback an answer's speech is sent, 200 to kLongestLeadMs.
  std::optional<int> max_lead_ms{};
  std::optional<SpeechEnhancement> enhancement{};  // once the turn or answer under way is over
  // That the model may call, from the next turn on; empty: none. Only for a model that can
  // (ModelInfo::calls_functions): of another the server refuses the settings with UNIMPLEMENTED.
  std::optional<std::vector<Function>> functions{};
  // What the model reads before the first turn, and how it is to behave: at most 16384 bytes and
  // ModelInfo::max_instruction_pieces text pieces; empty: none. Fixed once a turn has begun. Of a model that
  // was not trained with any the server refuses the settings with UNIMPLEMENTED.
  std::optional<std::string> instructions{};
};

// A session as the server accepted it.
struct Session {
  std::string id;
  std::string model;
  std::string model_version;
  SessionSettings settings;  // in force at the start, complete
  int max_seconds = 0;       // the server ends it then
  // How long the server keeps it after a lost connection (ConversationOptions::resume); 0: not at all.
  std::chrono::milliseconds resume_grace{0};
};

// ---- What a conversation reports. Field meanings and limits: proto/antiphon/v1/conversation.proto.

// Answers Update. Also comes when the user has made the model change its voice or speed ("speak faster").
struct SessionUpdated {
  SessionSettings settings;  // in force now, complete
};
struct SpeechStarted {
  uint64_t audio_offset_samples = 0;
};
struct SpeechStopped {
  uint64_t audio_offset_samples = 0;
};
struct TranscriptDelta {
  std::string text;
};
struct TurnEnded {
  TurnEndCause cause = TurnEndCause::kModel;
  std::string transcript;
};
struct ResponseStarted {
  std::string response_id;
};
struct TextDelta {
  std::string response_id;
  std::string text;
};
struct AudioDelta {
  std::string response_id;
  std::vector<float> samples;  // decoded, mono at output_audio.sample_rate, in [-1, 1]
  uint64_t first_sample = 0;   // samples of the response before these
};
// The model begins a picture: `grid` rows of `grid` codes each.
struct ImageStarted {
  std::string response_id;
  int image_index = 0;  // of the response's pictures, from 0
  int width = 0;        // pixels
  int height = 0;
  int grid = 0;
};
// The picture so far; what is missing is blank. Some rows may be left out.
struct ImageDelta {
  std::string response_id;
  int image_index = 0;
  int rows = 0;         // of codes that are in it
  std::string preview;  // a PNG file
};
struct ImageDone {
  std::string response_id;
  int image_index = 0;
  std::string png;
};
// The model calls a function; its arguments follow, and then FunctionCallDone, unless the response ends
// first.
struct FunctionCallStarted {
  std::string response_id;
  std::string call_id;
  std::string name;
};
struct FunctionCallArgumentsDelta {
  std::string response_id;
  std::string call_id;
  std::string arguments;  // the next part
};
// Carry it out and answer it: Conversation::AnswerFunctionCall.
struct FunctionCallDone {
  std::string response_id;
  std::string call_id;
  std::string name;
  std::string arguments;  // all of them: JSON, if the model made no mistake
  bool fits = false;      // a function that was declared, with arguments of the types it wants
  std::string fault;      // for a human: why it does not fit
};
// The user speaks: stop playing the response, and keep what is left of it.
struct PlaybackPaused {
  std::string response_id;
  uint64_t played_samples = 0;  // as far as the server knows
};
// It was nothing: go on from where you stopped.
struct PlaybackResumed {
  std::string response_id;
  uint64_t played_samples = 0;
};
// The rest of the response will not be heard: drop it.
struct ResponseInterrupted {
  std::string response_id;
  uint64_t played_samples = 0;
  std::string heard_text;
};
// Of the user's Opus packets with numbers (AppendOpusPacket), those that did not come in their turn.
struct PacketFates {
  int recovered = 0;   // lost, and replaced by their copies in the packets behind them
  int concealed = 0;   // lost, and replaced by what might have been there or by silence
  int late = 0;        // came when they had been given up as lost
  int duplicates = 0;  // came again
};
// Answers Export.
struct SessionExported {
  std::string snapshot;
};
// Answers Import.
struct SessionImported {
  int context_positions = 0;
};
struct Usage {
  int heard_frames = 0;
  int input_text_pieces = 0;
  int output_text_pieces = 0;
  int spoken_frames = 0;
  int context_positions = 0;
  int input_images = 0;
  int output_images = 0;
  int input_video_frames = 0;
  int dropped_video_frames = 0;
  PacketFates input_packets;
  int input_function_outputs = 0;
  int input_function_pieces = 0;
  int output_function_calls = 0;
  int output_function_pieces = 0;
};
// A turn on the server's clock, microseconds since the session was created; 0 for what did not happen.
struct LatencyLedger {
  uint64_t last_speech_received_us = 0;
  uint64_t endpoint_decided_us = 0;
  uint64_t first_symbol_us = 0;
  uint64_t first_frame_us = 0;
  uint64_t first_packet_sent_us = 0;
  int least_margin_ms = 0;
  int underruns = 0;
  uint64_t first_image_us = 0;
};
struct ResponseDone {
  std::string response_id;
  ResponseEnd end = ResponseEnd::kCompleted;
  std::string text;
  Usage usage;
  LatencyLedger ledger;
};
// A mistake that changed nothing on the server; the conversation goes on.
struct ServerError {
  Status status;
  std::string field;  // a path such as "session_update.config.sampling.top_p"; may be empty
};
// Always the last event. OK after FinishInput or Close; otherwise why the conversation broke:
// UNAVAILABLE (server gone or draining), RESOURCE_EXHAUSTED (refused or over a limit), DEADLINE_EXCEEDED
// (session over its length), DATA_LOSS (the server sent what cannot be understood), and others gRPC knows.
struct Closed {
  Status status;
  std::optional<std::chrono::milliseconds> retry_after;  // the server's hint, when it was full
};

struct Event {
  TimePoint received;  // when it came off the socket, before decoding
  std::variant<SessionUpdated, SpeechStarted, SpeechStopped, TranscriptDelta, TurnEnded, ResponseStarted,
               TextDelta, AudioDelta, ImageStarted, ImageDelta, ImageDone, FunctionCallStarted,
               FunctionCallArgumentsDelta, FunctionCallDone, PlaybackPaused, PlaybackResumed,
               ResponseInterrupted, ResponseDone, SessionExported, SessionImported, ServerError, Closed>
      body;
};

// Called with each event, in order, one at a time, on a thread of the library's; must return soon, must not
// throw and must not destroy the conversation. Every other call to the conversation is allowed.
using Listener = std::function<void(const Event& event)>;

// A picture as it lies in a file.
struct ImageFile {
  std::string bytes;
  std::string media_type;  // "image/png", "image/jpeg" or "image/webp"
};

// How a conversation goes on after its connection was lost. Nothing is lost or comes twice; what is sent
// meanwhile waits. Only for a server that keeps sessions (Session::resume_grace); with another the
// conversation ends as ever.
struct ResumeOptions {
  // Without success in between, and within Session::resume_grace.
  int max_attempts = 20;
  // Before the first; doubled each time, up to the greatest.
  std::chrono::milliseconds first_backoff{50};
  std::chrono::milliseconds max_backoff{2'000};
  // How long one may take.
  std::chrono::milliseconds attempt_timeout{10'000};
};

struct ConversationOptions {
  // Fixed for the conversation's life.
  AudioFormat input_audio{};
  AudioFormat output_audio{};
  // At the start.
  SessionSettings settings{};
  // How long to wait in the server's queue while it is full, 0 to 600000 ms: INVALID_ARGUMENT otherwise. 0:
  // it refuses at once.
  std::chrono::milliseconds wait_for_place{0};
  // Longest wait for the server to accept, besides that.
  std::chrono::milliseconds open_timeout{10'000};
  // What may wait to be sent before Append* and ReportPlayback refuse more; Commit, Cancel, Clear and Update
  // may use 64 KiB beyond it, so that a full queue can still be committed or cancelled. An hour of a stalled
  // network must not fill the memory. Every message counts 128 bytes more than it has on the wire.
  size_t max_queued_bytes = 8 << 20;
  // If set, a lost connection is not the end. max_queued_bytes must then be at least 1 MiB, and also bounds
  // what was sent and the server has not yet told to have. Close, and the destructor, wait up to 0.5 s for
  // the server to know that the conversation is over; if it cannot be told, it keeps the session for its
  // time.
  std::optional<ResumeOptions> resume{};
  // If set, events go here and NextEvent is FAILED_PRECONDITION.
  Listener listener{};
};

// One session. Every method may be called from any thread and returns at once, except NextEvent, which blocks
// and belongs to one thread at a time. A method that sends returns OK when the message is queued, not when it
// has arrived; what the server makes of it comes back as an event. RESOURCE_EXHAUSTED says that too much
// waits to be sent (max_queued_bytes) and that nothing was taken: try again later. After the end all of them
// return FAILED_PRECONDITION.
class Conversation {
 public:
  // Closes if still open, waits for the listener to return, and frees everything.
  virtual ~Conversation() = default;

  // Speech at input_audio.sample_rate in pieces of any length. Opus is sent in packets of 20 ms; a rest is
  // kept until more comes or Commit fills it up with silence. One call is taken as a whole or not at all.
  virtual Status AppendAudio(std::span<const float> samples) = 0;
  virtual Status AppendAudio(std::span<const int16_t> samples) = 0;
  // An Opus packet that somebody else has encoded, with its number on the transport that it came over, if
  // that may lose packets or change their order: the server then waits for what is missing, and fills what
  // stays away. FAILED_PRECONDITION unless input_audio is Opus, INVALID_ARGUMENT for a packet that is empty
  // or over 64 KiB; what else is wrong with it or its number the server says. Not to be mixed with
  // AppendAudio within a turn.
  virtual Status AppendOpusPacket(std::string_view packet, std::optional<uint32_t> packet_number) = 0;
  // UTF-8, 1 to 4000 bytes.
  virtual Status AppendText(const std::string& text) = 0;
  // A picture of the user's turn, at most 8 in one. What a file holds is for the server to say; here it is
  // INVALID_ARGUMENT when it is empty or over 3 MiB. Pixels: sides of 1 to 8192, `rgb` of 3 bytes a pixel, at
  // most 3 MiB.
  virtual Status AppendImage(const ImageFile& file) = 0;
  virtual Status AppendImage(const Image& image) = 0;
  // A frame of what the user's camera sees, at any time, at most 5 a second; otherwise as AppendImage, but of
  // at most 2 Mi pixels.
  virtual Status SendVideoFrame(const ImageFile& file) = 0;
  virtual Status SendVideoFrame(const Image& image) = 0;
  // What a call (FunctionCallDone) has come to: 1 to 4000 bytes of UTF-8, mostly JSON. At any time: while a
  // response is under way the server keeps it until that is over. `respond`: it is to be answered then,
  // without a Commit.
  virtual Status AnswerFunctionCall(const std::string& call_id, const std::string& output,
                                    bool respond = true) = 0;
  // Ends the user's turn and asks for the response.
  virtual Status Commit() = 0;
  // Stops the response under way, or the playing of the last one. `played_samples`: of it, by the
  // loudspeaker; absent: as far as the server knows.
  virtual Status Cancel(std::optional<uint64_t> played_samples = std::nullopt) = 0;
  // Forgets the user's open turn.
  virtual Status Clear() = 0;
  // The loudspeaker has played this many samples of that response.
  virtual Status ReportPlayback(const std::string& response_id, uint64_t played_samples) = 0;
  virtual Status Update(const SessionSettings& settings) = 0;
  // The conversation as it stands behind what was sent, to go on from there elsewhere: at any moment.
  virtual Status Export() = 0;
  // Goes on from there; before anything is said.
  virtual Status Import(std::string snapshot) = 0;

  // No more input: the server finishes the response under way and ends the conversation with Closed, OK.
  virtual Status FinishInput() = 0;
  // Ends the conversation now. Closed is the next event after those already received. Idempotent.
  virtual void Close() = 0;

  // The next event. DEADLINE_EXCEEDED when none came in time (the conversation goes on), FAILED_PRECONDITION
  // after Closed was returned.
  virtual Result<Event> NextEvent(std::chrono::nanoseconds timeout) = 0;

  // Constant.
  virtual const Session& session() const = 0;
  virtual const AudioFormat& input_audio() const = 0;
  virtual const AudioFormat& output_audio() const = 0;
};

struct ModelInfo {
  std::string name;
  std::string version;
  uint64_t parameters = 0;
  bool hears = false;   // audio in
  bool speaks = false;  // audio out
  int sample_rate = 0;  // of its codec, Hz
  int frame_ms = 0;
  int codebooks = 0;
  int vocabulary_size = 0;
  int max_positions = 0;
  bool sees = false;                  // pictures in
  bool draws = false;                 // pictures out
  int image_side = 0;                 // of its pictures, pixels; 0: it knows none
  int image_grid = 0;                 // codes on a side of one
  bool tells_words = false;           // ResponseInterrupted::heard_text is exact
  bool calls_functions = false;       // SessionSettings::functions
  int max_instruction_pieces = 0;     // of SessionSettings::instructions; 0: it takes none
  std::vector<std::string> voices{};  // the first is the one a session begins with
  std::vector<SpeechSpeed> speeds{};
};

struct GenerateRequest;  // antiphon/generate.h
struct GenerateOptions;
struct Generation;

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{5'000};  // of ListModels
};

// A connection to one server, without transport security. Thread-safe. Conversations keep what they need of
// it alive: it may be destroyed first.
class Client {
 public:
  virtual ~Client() = default;

  // `target` is HOST:PORT or any name gRPC resolves. UNAVAILABLE when nobody answers in time.
  static Result<std::unique_ptr<Client>> Connect(const std::string& target, const ClientOptions& options);

  virtual Result<std::vector<ModelInfo>> ListModels() = 0;

  // Returns when the server has accepted the session. Otherwise the server's status: RESOURCE_EXHAUSTED when
  // it is full (`retry_after`, if not null, then receives its hint), UNAVAILABLE, DEADLINE_EXCEEDED after
  // open_timeout; INVALID_ARGUMENT for options that cannot be.
  virtual Result<std::unique_ptr<Conversation>> Open(const ConversationOptions& options,
                                                     std::chrono::milliseconds* retry_after = nullptr) = 0;

  // Blocks until the response is complete: OK, whatever limit it reached. Otherwise `generation` (not null)
  // holds what had come until then, and the status is the server's (generation.proto lists them),
  // DEADLINE_EXCEEDED after options.timeout, CANCELLED after options.stop, DATA_LOSS for what cannot be
  // understood, or INVALID_ARGUMENT for a request that cannot be sent.
  virtual Status Generate(const GenerateRequest& request, const GenerateOptions& options,
                          Generation* generation) = 0;

  // Has the server run a recorded session (a file of antiphond --record) again and compare its tokens. Blocks
  // until that is done: OK whatever came of it, and outcome.status with it. Otherwise NOT_FOUND for a file
  // that cannot be read, DEADLINE_EXCEEDED after `timeout`, or the server's status (replay.proto lists them;
  // UNIMPLEMENTED when it does not allow replays).
  virtual Result<ReplayOutcome> Replay(const std::string& path, std::chrono::milliseconds timeout) = 0;
};

}  // namespace antiphon::client
