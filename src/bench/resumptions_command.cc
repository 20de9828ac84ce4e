// `antiphon-bench resume`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/resumptions.h"
#include "bench/statistics.h"
#include "bench/tested_server.h"
#include "media/resampler.h"
#include "media/wav.h"

namespace antiphon::bench {
namespace {

using nlohmann::json;

constexpr int kRate = 24000;  // of the conversations

struct Arguments {
  ResumptionsOptions options;
  TestedServer server;
  std::string speech;
  std::string json_file;
};

json ResultJson(const Resumption& one) {
  return {{"cut_at_byte", one.cut_at_byte},
          {"cuts", one.cuts},
          {"error", one.status.ok() ? json(nullptr) : json(one.status.ToString())},
          {"same_text", one.same_text},
          {"same_audio", one.same_audio},
          {"outage_ms", one.outage_ms ? json(*one.outage_ms) : json(nullptr)},
          {"good", one.Good()}};
}

json Report(const Resumptions& results, const Arguments& arguments) {
  LatencySummary outages;
  int failed = 0, cut = 0, same_text = 0, same_audio = 0, good = 0;
  json all = json::array();
  for (const Resumption& one : results.all) {
    failed += one.status.ok() ? 0 : 1;
    cut += one.cuts > 0 ? 1 : 0;
    same_text += one.same_text ? 1 : 0;
    same_audio += one.same_audio ? 1 : 0;
    good += one.Good() ? 1 : 0;
    if (one.outage_ms) outages.Add(*one.outage_ms);
    all.push_back(ResultJson(one));
  }
  size_t samples = 0;
  for (const auto& [id, audio] : results.undisturbed.audio) samples += audio.size();
  return {{"options",
           {{"requests", arguments.options.requests},
            {"speech", arguments.speech},
            {"seed", arguments.options.seed},
            {"model", arguments.server.model}}},
          {"machine", MachineJson()},
          {"undisturbed",
           {{"bytes", results.undisturbed_bytes},
            {"transcripts", results.undisturbed.transcripts},
            {"text", results.undisturbed.text},
            {"audio_samples", samples}}},
          {"count", results.all.size()},
          {"cut", cut},
          {"failed", failed},
          {"same_text", same_text},
          {"same_audio", same_audio},
          {"good", good},
          {"outage_ms", SummaryJson(outages)},
          {"results", all}};
}

std::string Text(const json& report) {
  std::string text = fmt::format("{:>8}{:>8}{:>8}{:>11}{:>12}{:>8}\n", "count", "cut", "failed", "same text",
                                 "same audio", "good");
  const auto count = [&](const char* key) { return report.at(key).get<int>(); };
  text += fmt::format("{:>8}{:>8}{:>8}{:>11}{:>12}{:>8}\n", count("count"), count("cut"), count("failed"),
                      count("same_text"), count("same_audio"), count("good"));
  text += "\nfrom the cut to the next event\n" + SummaryHead();
  return text + SummaryLine("outage", report.at("outage_ms"));
}

Status Run(const Arguments& arguments) {
  ResumptionsOptions options = arguments.options;
  if (!arguments.speech.empty()) {
    const Result<Audio> audio = ReadWav(arguments.speech);
    if (!audio.ok()) return audio.status();
    Result<std::vector<float>> speech = Resample(audio->samples, audio->sample_rate, kRate);
    if (!speech.ok()) return speech.status();
    options.speech = std::move(*speech);
  }
  const Result<ReachedServer> server = Reach(arguments.server);
  if (!server.ok()) return server.status();
  options.server = server->address;
  const auto listener = [&](const Resumption& one, int done) {
    if (!one.Good()) std::fputs((ResultJson(one).dump() + "\n").c_str(), stderr);
    if (done % 25 == 0) std::fprintf(stderr, "%d of %d\n", done, options.cuts);
  };
  const auto results = RunResumptions(options, listener);
  if (!results.ok()) return results.status();
  const json report = Report(*results, arguments);
  std::fputs(Text(report).c_str(), stdout);
  if (Status status = WriteReport(report, arguments.json_file); !status.ok()) return status;
  const bool any = std::ranges::any_of(results->all, [](const Resumption& one) { return one.status.ok(); });
  return any || options.cuts == 0
             ? OkStatus()
             : Internal("every one failed; the last: " + results->all.back().status.ToString());
}

}  // namespace

Command AddResumptionsCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  ResumptionsOptions& options = arguments->options;
  AddServerOptions(app, &arguments->server);
  app.add_option("--cuts", options.cuts, "Conversations whose connection is cut")
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
