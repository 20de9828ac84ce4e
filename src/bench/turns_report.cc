#include "bench/turns_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "bench/statistics.h"

namespace antiphon::bench {
namespace {

using nlohmann::json;

constexpr double kPromptMs = 240;  // an endpoint found by then is a prompt one

// Counts of one row of the table of answers.
struct Row {
  int turns = 0;
  int failures = 0;
  int judged = 0;
  int right = 0;
  WordErrors heard;
};

struct Latencies {
  LatencySummary turn, endpoint, generation, first_text, preview, mouth_to_ear, margin;
  LatencySummary server_endpoint, server_first_symbol, server_first_frame, server_first_packet;
};

void AddIf(LatencySummary* summary, const std::optional<double>& ms) {
  if (ms) summary->Add(*ms);
}

// A moment of the server's ledger in ms after the last speech it received.
std::optional<double> Since(const client::LatencyLedger& ledger, uint64_t us) {
  if (us == 0 || ledger.last_speech_received_us == 0) return std::nullopt;
  return (static_cast<double>(us) - static_cast<double>(ledger.last_speech_received_us)) / 1e3;
}

void Add(const client::Answer& answer, Latencies* all) {
  const client::ClientLatency& latency = answer.latency;
  AddIf(&all->turn, latency.first_audible_ms);
  AddIf(&all->endpoint, latency.turn_ended_ms);
  if (latency.first_audible_ms && latency.turn_ended_ms) {
    all->generation.Add(*latency.first_audible_ms - *latency.turn_ended_ms);
  }
  AddIf(&all->first_text, latency.first_text_ms);
  if (latency.first_image_ms && latency.first_text_ms) {
    all->preview.Add(*latency.first_image_ms - *latency.first_text_ms);
  }
  AddIf(&all->mouth_to_ear, latency.mouth_to_ear_ms);
  if (latency.mouth_to_ear_ms) all->margin.Add(latency.least_margin_ms);
  if (!latency.turn_ended_ms) return;  // without real-time pacing the server's ledger means nothing either
  const client::LatencyLedger& ledger = answer.ledger;
  AddIf(&all->server_endpoint, Since(ledger, ledger.endpoint_decided_us));
  AddIf(&all->server_first_symbol, Since(ledger, ledger.first_symbol_us));
  AddIf(&all->server_first_frame, Since(ledger, ledger.first_frame_us));
  AddIf(&all->server_first_packet, Since(ledger, ledger.first_packet_sent_us));
}

void Add(const Turn& turn, Row* row) {
  ++row->turns;
  if (!turn.status.ok()) ++row->failures;
  // A turn without an answer is a wrong answer; leaving it out would flatter the server that fails.
  if (turn.right || !turn.status.ok()) ++row->judged;
  if (turn.right.value_or(false)) ++row->right;
  if (turn.heard) {
    row->heard.errors += turn.heard->errors;
    row->heard.words += turn.heard->words;
  }
}

// Everything counted over a run.
struct Tally {
  std::map<std::string, Row> rows;
  Row total;
  Latencies latencies;
  int refusals = 0;
  int cut_ins = 0;
  int underruns = 0;
  int endpoints = 0;  // turns whose endpoint's time is known
  int prompt = 0;     // of these, how many within kPromptMs
};

void Add(const Question& question, const Turn& turn, bool timed, Tally* tally) {
  Add(turn, &tally->rows[question.row]);
  Add(turn, &tally->total);
  tally->refusals += turn.refusals;
  if (!turn.status.ok()) return;
  tally->cut_ins += turn.answer.cut_in ? 1 : 0;
  tally->underruns += turn.answer.latency.underruns;
  if (!timed) return;
  Add(turn.answer, &tally->latencies);
  if (const auto& ended = turn.answer.latency.turn_ended_ms) {
    ++tally->endpoints;
    tally->prompt += *ended <= kPromptMs ? 1 : 0;
  }
}

json Fraction(int part, int whole) {
  return whole > 0 ? json(static_cast<double>(part) / whole) : json(nullptr);
}

json RowJson(const std::string& name, const Row& row) {
  return {{"row", name},
          {"turns", row.turns},
          {"failures", row.failures},
          {"judged", row.judged},
          {"right", row.right},
          {"accuracy", Fraction(row.right, row.judged)},
          {"transcript_words", row.heard.words},
          {"transcript_errors", row.heard.errors},
          {"transcript_wer", Fraction(row.heard.errors, row.heard.words)}};
}

json RowsJson(const Tally& tally) {
  json table = json::array();
  if (tally.rows.size() > 1) {
    for (const auto& [name, row] : tally.rows)
      table.push_back(RowJson(name.empty() ? "(no row)" : name, row));
  }
  table.push_back(RowJson("all", tally.total));
  return table;
}

json OptionalJson(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json ResultJson(const Question& question, const Turn& turn) {
  const client::ClientLatency& latency = turn.answer.latency;
  return {{"question", question.text},
          {"wav", question.wav},
          {"voice", question.voice},
          {"row", question.row},
          {"expected", question.answers},
          {"heard", turn.answer.transcript},
          {"answer", turn.answer.text},
          {"right", turn.right ? json(*turn.right) : json(nullptr)},
          {"error", turn.status.ok() ? json(nullptr) : json(turn.status.ToString())},
          {"cut_in", turn.answer.cut_in},
          {"audio_seconds", turn.audio_seconds},
          {"turn_ms", OptionalJson(latency.first_audible_ms)},
          {"turn_ended_ms", OptionalJson(latency.turn_ended_ms)},
          {"mouth_to_ear_ms", OptionalJson(latency.mouth_to_ear_ms)},
          {"server_first_packet_ms",
           OptionalJson(Since(turn.answer.ledger, turn.answer.ledger.first_packet_sent_us))},
          {"underruns", latency.underruns},
          {"least_margin_ms", latency.least_margin_ms}};
}

json LatenciesJson(const Latencies& all) {
  return {{"turn", SummaryJson(all.turn)},
          {"endpoint", SummaryJson(all.endpoint)},
          {"generation", SummaryJson(all.generation)},
          {"first_text", SummaryJson(all.first_text)},
          {"preview_after_first_text", SummaryJson(all.preview)},
          {"mouth_to_ear", SummaryJson(all.mouth_to_ear)},
          {"least_margin", SummaryJson(all.margin)},
          {"server_endpoint", SummaryJson(all.server_endpoint)},
          {"server_first_symbol", SummaryJson(all.server_first_symbol)},
          {"server_first_frame", SummaryJson(all.server_first_frame)},
          {"server_first_packet", SummaryJson(all.server_first_packet)}};
}

json OptionsJson(const TurnsOptions& options) {
  return {{"sessions", options.sessions},
          {"turns_per_session", options.turns_per_session},
          {"real_time", options.real_time},
          {"typed", options.typed},
          {"speak", options.speak},
          {"draw", options.draw},
          {"encoding", options.audio.encoding == client::AudioEncoding::kOpus ? "opus" : "pcm16"},
          {"sample_rate", options.audio.sample_rate}};
}

std::string Percent(const json& fraction) {
  return fraction.is_null() ? "-" : fmt::format("{:.1f} %", 100 * fraction.get<double>());
}

}  // namespace

json TurnsJson(const std::vector<Question>& questions, const std::vector<Turn>& turns,
               const TurnsOptions& options, double seconds) {
  const auto is_spoken = [&](const Turn& turn) {
    return !options.typed && !questions.at(turn.question).wav.empty();
  };
  // A typed turn has no endpoint to wait for: its times are counted only where all turns are typed.
  const bool any_spoken = std::ranges::any_of(turns, is_spoken);
  Tally tally;
  json results = json::array();
  for (const Turn& turn : turns) {
    const Question& question = questions.at(turn.question);
    Add(question, turn, /*timed=*/is_spoken(turn) == any_spoken, &tally);
    results.push_back(ResultJson(question, turn));
  }
  return {{"options", OptionsJson(options)},
          {"machine", MachineJson()},
          {"seconds", seconds},
          {"turns", turns.size()},
          {"failures", tally.total.failures},
          {"refusals", tally.refusals},
          {"cut_ins", tally.cut_ins},
          {"underruns", tally.underruns},
          {"endpoint_within_240_ms", Fraction(tally.prompt, tally.endpoints)},
          {"latency_ms", LatenciesJson(tally.latencies)},
          {"rows", RowsJson(tally)},
          {"results", std::move(results)}};
}

std::string TurnsText(const json& report) {
  const json& latency = report.at("latency_ms");
  std::string text = fmt::format(
      "{} turns in {:.0f} s, {} at once: {} failed, {} refused at first, {} cut in, {} underruns\n\n",
      report.at("turns").get<int>(), report.at("seconds").get<double>(),
      report.at("options").at("sessions").get<int>(), report.at("failures").get<int>(),
      report.at("refusals").get<int>(), report.at("cut_ins").get<int>(), report.at("underruns").get<int>());
  if (!latency.at("endpoint").is_null()) {
    const std::pair<const char*, const char*> lines[] = {
        {"turn latency", "turn"},
        {"  endpoint part", "endpoint"},
        {"  generation part", "generation"},
        {"first text", "first_text"},
        {"  first preview after it", "preview_after_first_text"},
        {"mouth to ear", "mouth_to_ear"},
        {"least margin of an answer", "least_margin"},
        {"server: endpoint decided", "server_endpoint"},
        {"server: first symbol", "server_first_symbol"},
        {"server: first frame", "server_first_frame"},
        {"server: first packet sent", "server_first_packet"},
    };
    text += SummaryHead();
    for (const auto& [name, key] : lines) text += SummaryLine(name, latency.at(key));
    text += fmt::format("\nturn taken within 240 ms of the last speech sample: {}\n\n",
                        Percent(report.at("endpoint_within_240_ms")));
  }
  text += fmt::format("{:<38}{:>7}{:>9}{:>9}{:>9}{:>16}\n", "answers", "turns", "failed", "judged", "right",
                      "transcript WER");
  for (const json& row : report.at("rows")) {
    text +=
        fmt::format("{:<38}{:>7}{:>9}{:>9}{:>9}{:>16}\n", row.at("row").get<std::string>(),
                    row.at("turns").get<int>(), row.at("failures").get<int>(), row.at("judged").get<int>(),
                    Percent(row.at("accuracy")), Percent(row.at("transcript_wer")));
  }
  return text;
}

std::string ComplaintText(const Question& question, const Turn& turn) {
  const std::string& name = question.text.empty() ? question.wav : question.text;
  if (!turn.status.ok()) return fmt::format("failed  {}: {}\n", name, turn.status.ToString());
  if (turn.right.value_or(true)) return {};
  return fmt::format("wrong   {} (heard \"{}\"): {}\n", name, turn.answer.transcript, turn.answer.text);
}

}  // namespace antiphon::bench
