#include "antiphon/ask.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "client/answer_assembler.h"
#include "client/loudspeaker.h"
#include "client/speech_end.h"
#include "media/resampler.h"

namespace antiphon::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPacket{20};
// How much of the silence after the question is sent at once when not in real time: long enough for any
// endpointer but the one of last resort, short enough to cost little.
constexpr int kFastSilencePackets = 50;
constexpr int kPacketsAPlaybackReport = 10;
constexpr size_t kMostCalls = 8;  // of an answer that are given outputs: a model might go on for ever

double MillisecondsBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// One question and its answer on one conversation.
class Exchange {
 public:
  Exchange(Conversation& conversation, const AskOptions& options, Answer* answer)
      : conversation_(conversation),
        options_(options),
        answer_(answer),
        assembler_(answer),
        loudspeaker_(conversation.output_audio().sample_rate, options.playback_delay) {
    *answer_ = Answer{};
    answer_->sample_rate = conversation.output_audio().sample_rate;
  }

  Status AskTyped(const TypedQuestion& question);
  Status AskSpoken(const SpokenQuestion& question);

 private:
  enum class Stage { kAsking, kTurnEnded, kAnswering, kDone };

  // A question at the rate that travels, in whole packets; silence fills the last one up.
  struct Speech {
    std::vector<float> samples;
    size_t packet = 0;       // samples of one
    size_t last_packet = 0;  // the one that holds the last speech sample

    size_t packets() const { return samples.size() / packet; }
    std::span<const float> operator[](size_t i) const {
      return std::span(samples).subspan(i * packet, packet);
    }
  };
  // Also notes the length of the speech in the answer.
  Result<Speech> Prepare(const SpokenQuestion& question);

  // Handles events until the answer is done or `until` has come.
  Status ReceiveUntil(TimePoint until);
  Status Handle(const Event& event);
  Status HandleCall(const FunctionCallDone& call);
  Status HandleResponseDone(const ResponseDone& event, TimePoint received);
  // Both wait while too much is waiting to be sent.
  Status SendAudio(std::span<const float> samples);
  Status SendImages(const std::vector<ImageFile>& images);
  // Calls `send` until it is not RESOURCE_EXHAUSTED, or the answer is done.
  Status SendWithPatience(const std::function<Status()>& send);
  // Sends nothing more of the question; waits for the end of the answer.
  Status AwaitEnd();
  // Why a call that sends failed: the stream's own reason if it is over.
  Status Explain(Status status);
  void ReportPlayback();
  void FillLatency();

  Conversation& conversation_;
  const AskOptions& options_;
  Answer* const answer_;
  AnswerAssembler assembler_;
  Loudspeaker loudspeaker_;
  Stage stage_ = Stage::kAsking;
  std::string response_id_;
  bool reply_due_ = false;           // the response called a function and got its output: another one follows
  bool goes_on_ = false;             // that is the response under way, or the one that is awaited
  std::optional<TimePoint> sent_;    // the packet with the last speech sample, or the Commit
  std::optional<TimePoint> spoken_;  // that sample itself
  std::optional<TimePoint> turn_ended_, first_text_, first_image_, done_;
};

Status Exchange::AskTyped(const TypedQuestion& question) {
  if (question.text.empty() && question.images.empty()) {
    return InvalidArgument("the question has neither text nor pictures");
  }
  if (Status status = SendImages(question.images); !status.ok()) return status;
  if (!question.text.empty()) {
    if (Status status = conversation_.AppendText(question.text); !status.ok())
      return Explain(std::move(status));
  }
  sent_ = spoken_ = steady_clock::now();
  if (Status status = conversation_.Commit(); !status.ok()) return Explain(std::move(status));
  return AwaitEnd();
}

Status Exchange::AskSpoken(const SpokenQuestion& question) {
  const Result<Speech> prepared = Prepare(question);
  if (!prepared.ok()) return prepared.status();
  const Speech& speech = *prepared;
  if (Status status = SendImages(question.images); !status.ok()) return status;
  const std::vector<float> silence(speech.packet);
  const size_t at_once = options_.real_time ? 0 : speech.packets() + kFastSilencePackets;
  const TimePoint start = steady_clock::now();
  for (size_t i = 0;; ++i) {
    // A microphone hands a packet over when its last sample has been heard.
    const TimePoint due = start + kPacket * (i + 1 > at_once ? i + 1 - at_once : 0);
    if (Status status = ReceiveUntil(due); !status.ok() || stage_ == Stage::kDone) return status;
    // Once the server has ended the turn, the rest of the question would only be taken for a new one.
    const bool talking = i < speech.packets() && stage_ == Stage::kAsking;
    if (i == speech.last_packet) {
      // Before the call, not after it: on a busy machine the answer may be here when it returns.
      sent_ = steady_clock::now();
      const std::chrono::duration<double, std::milli> spoken(answer_->speech_ms);
      spoken_ = start + std::chrono::duration_cast<std::chrono::nanoseconds>(spoken);
    }
    if (Status status = SendAudio(talking ? speech[i] : silence); !status.ok()) return status;
    if (i == speech.last_packet && options_.commit && talking) {
      if (Status status = conversation_.Commit(); !status.ok()) return Explain(std::move(status));
      return AwaitEnd();
    }
    if (i % kPacketsAPlaybackReport == 0) ReportPlayback();
  }
}

Result<Exchange::Speech> Exchange::Prepare(const SpokenQuestion& question) {
  if (question.samples.empty() || question.sample_rate <= 0) {
    return InvalidArgument("the question has no samples");
  }
  const size_t end = question.speech_end.value_or(FindSpeechEnd(question.samples, question.sample_rate));
  if (end == 0 || end > question.samples.size()) {
    return InvalidArgument("the question has no speech: nothing in it is louder than -60 dBFS");
  }
  answer_->speech_ms = 1e3 * static_cast<double>(end) / question.sample_rate;
  const int rate = conversation_.input_audio().sample_rate;
  Result<std::vector<float>> resampled = Resample(question.samples, question.sample_rate, rate);
  if (!resampled.ok()) return resampled.status();
  Speech speech;
  speech.packet = static_cast<size_t>(rate * kPacket.count() / 1000);
  speech.samples = std::move(*resampled);
  speech.samples.resize((speech.samples.size() + speech.packet - 1) / speech.packet * speech.packet);
  const size_t last_sample =
      (end - 1) * static_cast<size_t>(rate) / static_cast<size_t>(question.sample_rate);
  speech.last_packet = std::min(speech.packets() - 1, last_sample / speech.packet);
  return speech;
}

Status Exchange::SendAudio(std::span<const float> samples) {
  return SendWithPatience([&] { return conversation_.AppendAudio(samples); });
}

Status Exchange::SendImages(const std::vector<ImageFile>& images) {
  for (const ImageFile& image : images) {
    Status status = SendWithPatience([&] { return conversation_.AppendImage(image); });
    if (!status.ok()) return status;
  }
  return OkStatus();
}

Status Exchange::SendWithPatience(const std::function<Status()>& send) {
  const TimePoint give_up = steady_clock::now() + options_.timeout;
  while (true) {
    Status status = send();
    if (status.ok()) return status;
    if (status.code() != StatusCode::kResourceExhausted) return Explain(std::move(status));
    if (steady_clock::now() > give_up) return status;
    if (status = ReceiveUntil(steady_clock::now() + kPacket); !status.ok()) return status;
    if (stage_ == Stage::kDone) return OkStatus();
  }
}

Status Exchange::AwaitEnd() {
  while (true) {
    const TimePoint next = steady_clock::now() + kPacket * kPacketsAPlaybackReport;
    if (Status status = ReceiveUntil(next); !status.ok() || stage_ == Stage::kDone) return status;
    ReportPlayback();
  }
}

Status Exchange::ReceiveUntil(TimePoint until) {
  while (stage_ != Stage::kDone) {
    const auto left = std::max(until - steady_clock::now(), steady_clock::duration::zero());
    const Result<Event> event = conversation_.NextEvent(left);
    if (event.ok()) {
      if (Status status = Handle(*event); !status.ok()) return status;
    } else if (event.status().code() != StatusCode::kDeadlineExceeded) {
      return event.status();
    }
    if (stage_ != Stage::kDone && sent_ && steady_clock::now() - *sent_ > options_.timeout) {
      return DeadlineExceeded("the answer was not complete " + std::to_string(options_.timeout.count()) +
                              " ms after the question");
    }
    if (steady_clock::now() >= until) break;
  }
  return OkStatus();
}

Status Exchange::Handle(const Event& event) {
  if (const auto* delta = std::get_if<TranscriptDelta>(&event.body)) {
    if (stage_ == Stage::kAsking) answer_->transcript += delta->text;
  } else if (const auto* turn = std::get_if<TurnEnded>(&event.body)) {
    stage_ = Stage::kTurnEnded;
    if (goes_on_) return OkStatus();
    turn_ended_ = event.received;
    answer_->cut_in = !sent_ || event.received < *sent_;
    answer_->transcript = turn->transcript;
    answer_->turn_end = turn->cause;
  } else if (const auto* started = std::get_if<ResponseStarted>(&event.body)) {
    stage_ = Stage::kAnswering;
    response_id_ = started->response_id;
  } else if (const auto* text = std::get_if<TextDelta>(&event.body)) {
    if (text->response_id != response_id_) return OkStatus();
    if (!first_text_) first_text_ = event.received;
    assembler_.Add(*text);
  } else if (const auto* audio = std::get_if<AudioDelta>(&event.body)) {
    if (audio->response_id != response_id_) return OkStatus();
    if (Status status = assembler_.Add(*audio); !status.ok()) return status;
    loudspeaker_.Receive(event.received, audio->samples);
  } else if (const auto* paused = std::get_if<PlaybackPaused>(&event.body)) {
    if (paused->response_id == response_id_) loudspeaker_.Pause(event.received);
  } else if (const auto* resumed = std::get_if<PlaybackResumed>(&event.body)) {
    if (resumed->response_id == response_id_) loudspeaker_.Resume(event.received);
  } else if (const auto* image = std::get_if<ImageStarted>(&event.body)) {
    if (image->response_id == response_id_) assembler_.Add(*image);
  } else if (const auto* preview = std::get_if<ImageDelta>(&event.body)) {
    if (preview->response_id == response_id_ && !first_image_) first_image_ = event.received;
  } else if (const auto* picture = std::get_if<ImageDone>(&event.body)) {
    if (picture->response_id != response_id_) return OkStatus();
    if (!first_image_) first_image_ = event.received;
    return assembler_.Add(*picture);
  } else if (const auto* call = std::get_if<FunctionCallDone>(&event.body)) {
    if (call->response_id == response_id_) return HandleCall(*call);
  } else if (const auto* done = std::get_if<ResponseDone>(&event.body)) {
    if (done->response_id == response_id_) return HandleResponseDone(*done, event.received);
  } else if (const auto* error = std::get_if<ServerError>(&event.body)) {
    return error->status;
  } else if (const auto* closed = std::get_if<Closed>(&event.body)) {
    if (!closed->status.ok()) return closed->status;
    return Unavailable("the server ended the conversation before the answer was complete");
  }
  return OkStatus();
}

Status Exchange::HandleCall(const FunctionCallDone& call) {
  AnswerCall& added = answer_->calls.emplace_back(AnswerCall{call, std::nullopt});
  if (!options_.call_function || answer_->calls.size() > kMostCalls) return OkStatus();
  added.output = options_.call_function(call);
  if (!added.output) return OkStatus();
  reply_due_ = true;
  return conversation_.AnswerFunctionCall(call.call_id, *added.output);
}

Status Exchange::HandleResponseDone(const ResponseDone& event, TimePoint received) {
  done_ = received;
  Status status = assembler_.Add(event);
  goes_on_ = std::exchange(reply_due_, false);
  if (goes_on_ && status.ok()) {
    stage_ = Stage::kTurnEnded;
    assembler_.BeginNext();
    loudspeaker_.BeginNext();
    return status;
  }
  stage_ = Stage::kDone;
  FillLatency();
  return status;
}

void Exchange::FillLatency() {
  ClientLatency& latency = answer_->latency;
  latency.underruns = loudspeaker_.underruns();
  latency.least_margin_ms = loudspeaker_.least_margin_ms();
  answer_->playback_end = loudspeaker_.first_packet() ? loudspeaker_.end() : *done_;
  if (!sent_ || answer_->cut_in || !options_.real_time) return;
  const auto since_sent = [this](const std::optional<TimePoint>& at) -> std::optional<double> {
    if (!at) return std::nullopt;
    return MillisecondsBetween(*sent_, *at);
  };
  latency.turn_ended_ms = since_sent(turn_ended_);
  latency.first_text_ms = since_sent(first_text_);
  latency.first_audio_ms = since_sent(loudspeaker_.first_packet());
  latency.first_audible_ms = since_sent(loudspeaker_.first_audible_received());
  latency.first_image_ms = since_sent(first_image_);
  latency.done_ms = since_sent(done_);
  if (loudspeaker_.first_audible_played()) {
    latency.mouth_to_ear_ms = MillisecondsBetween(*spoken_, *loudspeaker_.first_audible_played());
  }
}

Status Exchange::Explain(Status status) {
  if (status.code() != StatusCode::kFailedPrecondition) return status;
  const Status reason = ReceiveUntil(steady_clock::now() + milliseconds(1000));
  return reason.ok() ? status : reason;
}

void Exchange::ReportPlayback() {
  if (stage_ != Stage::kAnswering || !loudspeaker_.first_packet()) return;
  const uint64_t played = loudspeaker_.PlayedSamples(steady_clock::now());
  if (played == 0) return;  // the response before it is still being played
  // A failure shows up with the next packet of audio or the next event.
  (void)conversation_.ReportPlayback(response_id_, played);
}

}  // namespace

Status Ask(Conversation& conversation, const Question& question, const AskOptions& options, Answer* answer) {
  Exchange exchange(conversation, options, answer);
  if (const auto* typed = std::get_if<TypedQuestion>(&question)) return exchange.AskTyped(*typed);
  return exchange.AskSpoken(std::get<SpokenQuestion>(question));
}

}  // namespace antiphon::client
