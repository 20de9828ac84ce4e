// `antiphon-bench move`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "bench/commands.h"
#include "bench/moves.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "bench/tested_server.h"
#include "media/resampler.h"
#include "media/wav.h"

namespace antiphon::bench {
namespace {

using nlohmann::json;

constexpr int kRate = 24000;  // of the conversations

struct Arguments {
  MovesOptions options;
  TestedServer server;
  std::string to;
  std::string speech;
  std::string json_file;
};

json ResultJson(const Move& one) {
  return {{"moment", one.moment},
          {"moved", one.moved},
          {"in_response", one.in_response},
          {"in_speech", one.in_speech},
          {"bytes", one.bytes},
          {"error", one.status.ok() ? json(nullptr) : json(one.status.ToString())},
          {"same_text", one.same_text},
          {"same_audio", one.same_audio},
          {"outage_ms", one.outage_ms ? json(*one.outage_ms) : json(nullptr)},
          {"least_margin_ms", one.least_margin_ms ? json(*one.least_margin_ms) : json(nullptr)},
          {"good", one.Good()}};
}

json Report(const Moves& results, const Arguments& arguments) {
  LatencySummary outages;
  int failed = 0, in_response = 0, in_speech = 0, same_text = 0, same_audio = 0, good = 0, gaps = 0;
  size_t largest = 0;
  json all = json::array();
  for (const Move& one : results.all) {
    failed += one.status.ok() ? 0 : 1;
    in_response += one.in_response ? 1 : 0;
    in_speech += one.in_speech ? 1 : 0;
    same_text += one.same_text ? 1 : 0;
    same_audio += one.same_audio ? 1 : 0;
    good += one.Good() ? 1 : 0;
    gaps += one.least_margin_ms.value_or(0.0) < 0.0 ? 1 : 0;
    largest = std::max(largest, one.bytes);
    if (one.outage_ms) outages.Add(*one.outage_ms);
    all.push_back(ResultJson(one));
  }
  return {{"options",
           {{"requests", arguments.options.requests},
            {"speech", arguments.speech},
            {"seed", arguments.options.seed},
            {"model", arguments.server.model}}},
          {"machine", MachineJson()},
          {"undisturbed",
           {{"moments", results.moments},
            {"transcripts", results.undisturbed.transcripts},
            {"text", results.undisturbed.text}}},
          {"count", results.all.size()},
          {"failed", failed},
          {"in_response", in_response},
          {"in_speech", in_speech},
          {"same_text", same_text},
          {"same_audio", same_audio},
          {"good", good},
          {"gaps", gaps},
          {"largest_bytes", largest},
          {"outage_ms", SummaryJson(outages)},
          {"results", all}};
}

std::string Text(const json& report) {
  const auto count = [&](const char* key) { return report.at(key).get<size_t>(); };
  std::string text =
      fmt::format("{:>8}{:>8}{:>12}{:>12}{:>11}{:>12}{:>8}{:>8}{:>16}\n", "count", "failed", "in answer",
                  "in speech", "same text", "same audio", "good", "gaps", "largest, bytes");
  text += fmt::format("{:>8}{:>8}{:>12}{:>12}{:>11}{:>12}{:>8}{:>8}{:>16}\n", count("count"), count("failed"),
                      count("in_response"), count("in_speech"), count("same_text"), count("same_audio"),
                      count("good"), count("gaps"), count("largest_bytes"));
  text += "\nfrom the wish to the other server's first event\n" + SummaryHead();
  return text + SummaryLine("outage", report.at("outage_ms"));
}

Status Run(const Arguments& arguments) {
  MovesOptions options = arguments.options;
  if (!arguments.speech.empty()) {
    const Result<Audio> audio = ReadWav(arguments.speech);
    if (!audio.ok()) return audio.status();
    Result<std::vector<float>> speech = Resample(audio->samples, audio->sample_rate, kRate);
    if (!speech.ok()) return speech.status();
    options.speech = std::move(*speech);
  }
  const Result<ReachedServer> from = Reach(arguments.server);
  if (!from.ok()) return from.status();
  TestedServer second = arguments.server;
  second.address = arguments.to;
  const Result<ReachedServer> to = Reach(second);
  if (!to.ok()) return to.status();
  options.from = from->address;
  options.to = to->address;
  const auto listener = [&](const Move& one, int done) {
    if (!one.Good()) std::fputs((ResultJson(one).dump() + "\n").c_str(), stderr);
    if (done % 10 == 0) std::fprintf(stderr, "%d of %d\n", done, options.trials);
  };
  const auto results = RunMoves(options, listener);
  if (!results.ok()) return results.status();
  const json report = Report(*results, arguments);
  std::fputs(Text(report).c_str(), stdout);
  if (Status status = WriteReport(report, arguments.json_file); !status.ok()) return status;
  const bool any = std::ranges::any_of(results->all, [](const Move& one) { return one.status.ok(); });
  return any || options.trials == 0
             ? OkStatus()
             : Internal("every one failed; the last: " + results->all.back().status.ToString());
}

}  // namespace

Command AddMovesCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  MovesOptions& options = arguments->options;
  AddServerOptions(app, &arguments->server);
  app.add_option("--to", arguments->to, "HOST:PORT of the server to move to; else one more is started")
      ->type_name("HOST:PORT");
  app.add_option("--trials", options.trials, "Conversations that move")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_option("--request", options.requests, "What is asked, typed; repeat it for several turns")
      ->capture_default_str();
  app.add_option("--speech", arguments->speech, "A recording to ask behind them")->type_name("FILE");
  app.add_option("--seed", options.seed, "Of the moments")->capture_default_str();
  app.add_option("--json", arguments->json_file, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
