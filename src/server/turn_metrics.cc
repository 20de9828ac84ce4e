#include "server/turn_metrics.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "server/metric_labels.h"

namespace antiphon {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

// s. Turn latency and the wait for the endpoint: finest where people tell good from bad.
const Buckets kLatencies = {0.01, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.275, 0.3,
                            0.35, 0.4,   0.45, 0.5,   0.6, 0.8,   1,    1.5,   2,   3,     5,    10};
// s. What the server does once a turn is over takes some steps of some milliseconds.
const Buckets kSteps = {0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08,
                        0.1,   0.15,  0.2,  0.3,   0.5,  1,    2,    5,    10};
// s. A picture is written beside the voice.
const Buckets kPictures = {0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30};
// s. Nothing in hand is an underrun; a frame is 0.08.
const Buckets kMargins = {0, 0.02, 0.04, 0.08, 0.12, 0.16, 0.24, 0.32, 0.5, 0.75, 1, 2, 4, 8, 16, 30};

// s. A voice is known some 0.1 after it set in, and goes on for 0.1 to 3 to cut an answer.
const Buckets kReactions = {0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4,
                            0.5,  0.6,  0.7,  0.8,  1,   1.5,  2,   3,   5};

constexpr char kResumed[] = "resumed";
constexpr char kCut[] = "cut";
constexpr char kSpoken[] = "spoken";
constexpr char kTyped[] = "typed";

prometheus::Family<prometheus::Counter>& CountersOf(prometheus::Registry& registry, const std::string& name,
                                                    const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Counter& CounterOf(prometheus::Registry& registry, const std::string& name,
                               const std::string& help) {
  return CountersOf(registry, name, help).Add({});
}

double Seconds(Nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

// By input; empty from the start.
prometheus::Family<prometheus::Histogram>& PartOf(prometheus::Registry& registry, const std::string& name,
                                                  const std::string& help, const Buckets& buckets) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  for (const char* input : {kSpoken, kTyped}) family.Add({{"input", input}}, buckets);
  return family;
}

// `to` - `from` of a ledger, if both happened. Where the engine decided before the last of the speech had
// come in, nobody waited.
void ObserveTime(prometheus::Family<prometheus::Histogram>& family, const char* input, const Buckets& buckets,
                 uint64_t from_us, uint64_t to_us) {
  if (from_us == 0 || to_us == 0) return;
  const double seconds = to_us > from_us ? static_cast<double>(to_us - from_us) / 1e6 : 0.0;
  family.Add({{"input", input}}, buckets).Observe(seconds);
}

}  // namespace

TurnMetrics::TurnMetrics(prometheus::Registry& registry)
    : turns_(CountersOf(registry, "antiphon_turns_total", "User turns that ended, by what ended them")),
      responses_(CountersOf(registry, "antiphon_responses_total", "Responses that ended, by how")),
      errors_(CountersOf(registry, "antiphon_errors_total", "Errors that clients were told, by gRPC code")),
      heard_frames_(CounterOf(registry, "antiphon_heard_frames_total",
                              "Audio frames that the model heard in turns it answered")),
      spoken_frames_(
          CounterOf(registry, "antiphon_spoken_frames_total", "Audio frames of responses that ended")),
      video_frames_(CounterOf(registry, "antiphon_video_frames_total",
                              "Video frames that went into turns that were answered")),
      dropped_video_frames_(CounterOf(registry, "antiphon_video_frames_dropped_total",
                                      "Video frames that went into no turn that was answered")),
      underruns_(CounterOf(registry, "antiphon_underruns_total",
                           "Times that a speaking response ran out of audio: audible gaps")),
      least_margin_(prometheus::BuildHistogram()
                        .Name("antiphon_response_least_margin_seconds")
                        .Help("Least audio in hand of each spoken response")
                        .Register(registry)
                        .Add({}, kMargins)),
      latency_(PartOf(registry, "antiphon_turn_latency_seconds",
                      "From the last speech, or the commit of a typed turn, to the first packet sent",
                      kLatencies)),
      endpointing_(PartOf(registry, "antiphon_turn_endpointing_seconds",
                          "From the last speech, or the commit of a typed turn, until it was judged over",
                          kLatencies)),
      first_symbol_(PartOf(registry, "antiphon_turn_first_symbol_seconds",
                           "From the endpoint to the first text of the answer", kSteps)),
      first_frame_(PartOf(registry, "antiphon_turn_first_frame_seconds",
                          "From the endpoint to the first frame of speech", kSteps)),
      first_packet_(PartOf(registry, "antiphon_turn_first_packet_seconds",
                           "From the endpoint to the first packet sent", kSteps)),
      first_image_(PartOf(registry, "antiphon_turn_first_image_seconds",
                          "From the endpoint to the first of a picture sent", kPictures)),
      pauses_(CounterOf(registry, "antiphon_playback_pauses_total",
                        "Times that a voice paused an answer that was being played")),
      resumed_(CounterOf(registry, "antiphon_playback_resumed_total",
                         "Times that such an answer went on from the same sample")),
      interrupted_(CountersOf(registry, "antiphon_answers_interrupted_total",
                              "Spoken answers that were cut back to what was heard of them, by what")),
      pause_time_(prometheus::BuildHistogram()
                      .Name("antiphon_interruption_pause_seconds")
                      .Help("From the arrival of the first of a voice until it paused the answer")
                      .Register(registry)
                      .Add({}, kReactions)),
      decision_time_(prometheus::BuildHistogram()
                         .Name("antiphon_interruption_decision_seconds")
                         .Help("From the arrival of the first of a voice until the answer went on or was cut")
                         .Register(registry)) {
  // What was never counted is 0, not missing.
  for (const SessionKind kind : kSessionKinds) {
    for (const auto cause :
         {TurnEndCause::kModel, TurnEndCause::kCommit, TurnEndCause::kSilence, TurnEndCause::kLength}) {
      turns_.Add({{"kind", LabelOf(kind)}, {"cause", LabelOf(cause)}});
    }
    for (const auto end :
         {ResponseEnd::kCompleted, ResponseEnd::kCancelled, ResponseEnd::kIncomplete, ResponseEnd::kFailed}) {
      responses_.Add({{"kind", LabelOf(kind)}, {"status", LabelOf(end)}});
    }
  }
  for (const auto code :
       {StatusCode::kInvalidArgument, StatusCode::kResourceExhausted, StatusCode::kFailedPrecondition,
        StatusCode::kOutOfRange, StatusCode::kUnimplemented, StatusCode::kInternal, StatusCode::kDataLoss}) {
    errors_.Add({{"code", LabelOf(code)}});
  }
  using enum server_event::InterruptedBy;
  for (const auto by : {kCautious, kEager, kCommit, kCancel, kCancelAt, kFault}) {
    interrupted_.Add({{"by", LabelOf(by)}});
  }
  for (const char* decision : {kResumed, kCut}) decision_time_.Add({{"decision", decision}}, kReactions);
}

void TurnMetrics::Observe(SessionKind kind, const ServerEvent& event) {
  if (const auto* ended = std::get_if<server_event::TurnEnded>(&event)) Count(kind, *ended);
  if (const auto* done = std::get_if<server_event::ResponseDone>(&event)) Count(kind, *done);
  if (const auto* error = std::get_if<server_event::Error>(&event)) Count(kind, *error);
  if (const auto* paused = std::get_if<server_event::PlaybackPaused>(&event)) Count(*paused);
  if (const auto* resumed = std::get_if<server_event::PlaybackResumed>(&event)) Count(*resumed);
  if (const auto* cut = std::get_if<server_event::ResponseInterrupted>(&event)) Count(*cut);
}

void TurnMetrics::Count(SessionKind kind, const server_event::TurnEnded& ended) {
  turns_.Add({{"kind", LabelOf(kind)}, {"cause", LabelOf(ended.cause)}}).Increment();
}

void TurnMetrics::Count(SessionKind kind, const server_event::ResponseDone& done) {
  responses_.Add({{"kind", LabelOf(kind)}, {"status", LabelOf(done.end)}}).Increment();
  CountUsage(done.usage);
  // Nobody waits for the others.
  if (kind == SessionKind::kConversation) CountLatency(done);
}

void TurnMetrics::Count(SessionKind, const server_event::Error& error) {
  errors_.Add({{"code", LabelOf(error.refusal.status.code())}}).Increment();
}

void TurnMetrics::Count(const server_event::PlaybackPaused& paused) {
  pauses_.Increment();
  pause_time_.Observe(Seconds(paused.since_onset));
}

void TurnMetrics::Count(const server_event::PlaybackResumed& resumed) {
  resumed_.Increment();
  decision_time_.Add({{"decision", kResumed}}, kReactions).Observe(Seconds(resumed.since_onset));
}

void TurnMetrics::Count(const server_event::ResponseInterrupted& interrupted) {
  using enum server_event::InterruptedBy;
  interrupted_.Add({{"by", LabelOf(interrupted.by)}}).Increment();
  // What the client decides is not of the server's making.
  if (interrupted.by != kCautious && interrupted.by != kEager) return;
  decision_time_.Add({{"decision", kCut}}, kReactions).Observe(Seconds(interrupted.since_onset));
}

void TurnMetrics::CountUsage(const server_event::Usage& usage) {
  heard_frames_.Increment(usage.heard_frames);
  spoken_frames_.Increment(usage.spoken_frames);
  video_frames_.Increment(usage.input_video_frames);
  dropped_video_frames_.Increment(usage.dropped_video_frames);
}

void TurnMetrics::CountLatency(const server_event::ResponseDone& done) {
  const server_event::LatencyLedger& ledger = done.ledger;
  const char* const input = done.usage.heard_frames > 0 ? kSpoken : kTyped;
  const uint64_t asked = ledger.last_speech_received_us;
  const uint64_t endpoint = ledger.endpoint_decided_us;
  ObserveTime(latency_, input, kLatencies, asked, ledger.first_packet_sent_us);
  ObserveTime(endpointing_, input, kLatencies, asked, endpoint);
  ObserveTime(first_symbol_, input, kSteps, endpoint, ledger.first_symbol_us);
  ObserveTime(first_frame_, input, kSteps, endpoint, ledger.first_frame_us);
  ObserveTime(first_packet_, input, kSteps, endpoint, ledger.first_packet_sent_us);
  ObserveTime(first_image_, input, kPictures, endpoint, ledger.first_image_us);
  underruns_.Increment(ledger.underruns);
  // A ledger without either knows no margin: less than two pieces were sent.
  if (ledger.least_margin_ms > 0 || ledger.underruns > 0) {
    least_margin_.Observe(ledger.least_margin_ms / 1e3);
  }
}

}  // namespace antiphon
