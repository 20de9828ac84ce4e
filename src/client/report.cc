#include "client/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

namespace antiphon::client {
namespace {

using nlohmann::json;

// Microseconds would be noise.
double Rounded(double ms) { return std::round(ms * 10) / 10; }

json MillisecondsJson(const std::optional<double>& ms) { return ms ? json(Rounded(*ms)) : json(nullptr); }

json LatencyJson(const ClientLatency& latency) {
  return {{"turn", MillisecondsJson(latency.first_audible_ms)},
          {"turn_ended", MillisecondsJson(latency.turn_ended_ms)},
          {"first_text", MillisecondsJson(latency.first_text_ms)},
          {"first_audio", MillisecondsJson(latency.first_audio_ms)},
          {"first_image", MillisecondsJson(latency.first_image_ms)},
          {"mouth_to_ear", MillisecondsJson(latency.mouth_to_ear_ms)},
          {"done", MillisecondsJson(latency.done_ms)},
          {"least_margin", Rounded(latency.least_margin_ms)},
          {"underruns", latency.underruns}};
}

// The server's times as ms after the last speech it received.
json LedgerJson(const LatencyLedger& ledger) {
  const auto since = [&](uint64_t us) -> json {
    if (us == 0 || ledger.last_speech_received_us == 0) return nullptr;
    return Rounded((static_cast<double>(us) - static_cast<double>(ledger.last_speech_received_us)) / 1e3);
  };
  return {{"endpoint_decided", since(ledger.endpoint_decided_us)},
          {"first_symbol", since(ledger.first_symbol_us)},
          {"first_frame", since(ledger.first_frame_us)},
          {"first_packet_sent", since(ledger.first_packet_sent_us)},
          {"first_image", since(ledger.first_image_us)},
          {"least_margin", ledger.least_margin_ms},
          {"underruns", ledger.underruns}};
}

const char* Name(TurnEndCause cause) {
  switch (cause) {
    case TurnEndCause::kModel:
      return "model";
    case TurnEndCause::kCommit:
      return "commit";
    case TurnEndCause::kSilence:
      return "silence";
    case TurnEndCause::kLength:
      return "length";
  }
  return "unknown";
}

const char* Name(SpeechSpeed speed) {
  switch (speed) {
    case SpeechSpeed::kSlow:
      return "slow";
    case SpeechSpeed::kNormal:
      return "normal";
    case SpeechSpeed::kFast:
      return "fast";
  }
  return "unknown";
}

const char* Name(ResponseEnd end) {
  switch (end) {
    case ResponseEnd::kCompleted:
      return "completed";
    case ResponseEnd::kCancelled:
      return "cancelled";
    case ResponseEnd::kIncomplete:
      return "incomplete";
    case ResponseEnd::kFailed:
      return "failed";
  }
  return "unknown";
}

double AudioSeconds(const Answer& answer) {
  return answer.sample_rate > 0 ? static_cast<double>(answer.audio.size()) / answer.sample_rate : 0;
}

// Empty for an answer that ended by itself.
std::string EndText(const Answer& answer) {
  if (!answer.end || *answer.end == ResponseEnd::kCompleted) return "";
  return Labelled("ended", Name(*answer.end)) + "\n";
}

std::string LatencyText(const Answer& answer) {
  const ClientLatency& latency = answer.latency;
  if (answer.cut_in) return "none to measure: the model answered before the question was over";
  if (!latency.turn_ended_ms) return "not measured (no real-time pacing)";
  std::string text;
  if (latency.first_audible_ms) {
    text = fmt::format("{:.0f} ms from the last speech sample to the first audible one: ",
                       *latency.first_audible_ms);
  }
  text += fmt::format("turn over {:.0f} ms", *latency.turn_ended_ms);
  if (latency.first_text_ms) text += fmt::format(", text {:.0f} ms", *latency.first_text_ms);
  if (latency.first_audio_ms) text += fmt::format(", speech {:.0f} ms", *latency.first_audio_ms);
  if (latency.done_ms) text += fmt::format(", done {:.0f} ms", *latency.done_ms);
  return text;
}

}  // namespace

json TurnJson(const Answer& answer) {
  const Usage& usage = answer.usage;
  json calls = json::array();
  for (const auto& [call, output] : answer.calls) {
    calls.push_back({{"name", call.name},
                     {"arguments", call.arguments},
                     {"fits", call.fits},
                     {"fault", call.fault},
                     {"output", output ? json(*output) : json(nullptr)}});
  }
  json images = json::array();
  for (const AnswerImage& image : answer.images) {
    images.push_back({{"width", image.width}, {"height", image.height}, {"bytes", image.png.size()}});
  }
  return {{"transcript", answer.transcript},
          {"answer", answer.text},
          {"audio_seconds", AudioSeconds(answer)},
          {"images", std::move(images)},
          {"calls", std::move(calls)},
          {"turn_end", answer.turn_end ? json(Name(*answer.turn_end)) : json(nullptr)},
          {"end", answer.end ? json(Name(*answer.end)) : json(nullptr)},
          {"cut_in", answer.cut_in},
          {"latency_ms", LatencyJson(answer.latency)},
          {"ledger_ms", LedgerJson(answer.ledger)},
          {"usage",
           {{"heard_frames", usage.heard_frames},
            {"input_text_pieces", usage.input_text_pieces},
            {"output_text_pieces", usage.output_text_pieces},
            {"spoken_frames", usage.spoken_frames},
            {"context_positions", usage.context_positions},
            {"input_images", usage.input_images},
            {"output_images", usage.output_images},
            {"input_video_frames", usage.input_video_frames},
            {"dropped_video_frames", usage.dropped_video_frames},
            {"input_function_outputs", usage.input_function_outputs},
            {"input_function_pieces", usage.input_function_pieces},
            {"output_function_calls", usage.output_function_calls},
            {"output_function_pieces", usage.output_function_pieces},
            {"input_packets",
             {{"recovered", usage.input_packets.recovered},
              {"concealed", usage.input_packets.concealed},
              {"late", usage.input_packets.late},
              {"duplicates", usage.input_packets.duplicates}}}}}};
}

json ModelJson(const ModelInfo& model) {
  json speeds = json::array();
  for (const SpeechSpeed speed : model.speeds) speeds.push_back(Name(speed));
  return {{"name", model.name},
          {"version", model.version},
          {"parameters", model.parameters},
          {"hears", model.hears},
          {"speaks", model.speaks},
          {"sample_rate", model.sample_rate},
          {"frame_ms", model.frame_ms},
          {"codebooks", model.codebooks},
          {"vocabulary_size", model.vocabulary_size},
          {"max_positions", model.max_positions},
          {"sees", model.sees},
          {"draws", model.draws},
          {"calls_functions", model.calls_functions},
          {"max_instruction_pieces", model.max_instruction_pieces},
          {"image_side", model.image_side},
          {"image_grid", model.image_grid},
          {"voices", model.voices},
          {"speeds", std::move(speeds)}};
}

json ErrorJson(const Status& status) {
  if (status.ok()) return nullptr;
  return {{"code", StatusCodeName(status.code())}, {"message", status.message()}};
}

void PrintJson(const json& output) {
  std::puts(output.dump(2, ' ', false, json::error_handler_t::replace).c_str());
}

std::string Labelled(const std::string& label, const std::string& text) {
  return fmt::format("{:<9}{}", label, text);
}

std::string AnswerText(const Answer& answer) {
  std::string text;
  if (!answer.audio.empty()) text += Labelled("speech", fmt::format("{:.1f} s\n", AudioSeconds(answer)));
  for (const AnswerImage& image : answer.images) {
    text += Labelled("picture", fmt::format("{} x {}\n", image.width, image.height));
  }
  return text + EndText(answer);
}

std::string UsageText(const Usage& usage) {
  return Labelled("usage", fmt::format("read {} frames of speech, {} pieces of text, {} pictures; wrote {} "
                                       "pieces of text, {} frames of speech, {} pictures\n",
                                       usage.heard_frames, usage.input_text_pieces, usage.input_images,
                                       usage.output_text_pieces, usage.spoken_frames, usage.output_images));
}

std::string TurnText(const Answer& answer, const std::string& model) {
  std::string text = Labelled("heard", answer.transcript) + "\n" + Labelled(model, answer.text) + "\n";
  if (!answer.audio.empty()) {
    const int gaps = answer.latency.underruns;
    text += Labelled("speech", fmt::format("{:.1f} s, {}\n", AudioSeconds(answer),
                                           gaps == 0 ? "no gaps" : fmt::format("{} gaps", gaps)));
  }
  for (const AnswerImage& image : answer.images) {
    text += Labelled("picture", fmt::format("{} x {}", image.width, image.height));
    if (answer.latency.first_image_ms) {
      text += fmt::format(", first preview after {:.0f} ms", *answer.latency.first_image_ms);
    }
    text += "\n";
  }
  for (const auto& [call, output] : answer.calls) {
    text += Labelled("call", call.name + " " + call.arguments);
    text += call.fits ? "\n" : " (does not fit: " + call.fault + ")\n";
    if (output) text += Labelled("output", *output) + "\n";
  }
  return text + Labelled("latency", LatencyText(answer)) + "\n" + EndText(answer);
}

std::string ModelTable(const std::vector<ModelInfo>& models) {
  const auto yes_or_no = [](bool value) { return value ? "yes" : "no"; };
  std::string table = fmt::format("{:<12}{:<10}{:>11}{:>8}{:>8}{:>7}{:>7}{:>9}{:>7}{:>11}{:>12}  {}\n",
                                  "model", "version", "parameters", "hears", "speaks", "sees", "draws",
                                  "rate", "frame", "codebooks", "positions", "voices");
  for (const ModelInfo& model : models) {
    table += fmt::format("{:<12}{:<10}{:>10.1f}M{:>8}{:>8}{:>7}{:>7}{:>6} Hz{:>4} ms{:>11}{:>12}  {}\n",
                         model.name, model.version, static_cast<double>(model.parameters) / 1e6,
                         yes_or_no(model.hears), yes_or_no(model.speaks), yes_or_no(model.sees),
                         yes_or_no(model.draws), model.sample_rate, model.frame_ms, model.codebooks,
                         model.max_positions, fmt::join(model.voices, " "));
  }
  return table;
}

}  // namespace antiphon::client
