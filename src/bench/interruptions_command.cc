// `antiphon-bench interruptions`.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "bench/commands.h"
#include "bench/interruptions.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "bench/tested_server.h"

namespace antiphon::bench {
namespace {

using nlohmann::json;

constexpr double kPromptMs = 200;  // a pause by then is a prompt one

struct Arguments {
  InterruptionsOptions options;
  TestedServer server;
  std::string questions;
  std::string json_file;
  bool eager = false;
  std::string interrupt_by = "words";  // of the server that is started
};

const char* NameOf(Intrusion intrusion) {
  switch (intrusion) {
    case Intrusion::kNoise:
      return "noise";
    case Intrusion::kVoice:
      return "voice";
    case Intrusion::kCancel:
      return "cancel";
  }
  return "none";
}

json ResultJson(const Interrupted& one) {
  const auto optional = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  return {{"intrusion", NameOf(one.intrusion)},
          {"what", one.what},
          {"error", one.status.ok() ? json(nullptr) : json(one.status.ToString())},
          {"paused_ms", optional(one.paused_ms)},
          {"resumed", one.resumed},
          {"interrupted", one.interrupted},
          {"text", one.text},
          {"heard", one.heard},
          {"heard_is_a_beginning", one.HeardIsABeginning()},
          {"next", one.next},
          {"right", optional(one.right)},
          {"good", one.Good()}};
}

json RowJson(const std::string& name, const std::vector<Interrupted>& members) {
  LatencySummary paused;
  int good = 0, failed = 0, paused_in_time = 0, beginnings = 0, cut = 0, asked = 0, right = 0;
  for (const Interrupted& one : members) {
    good += one.Good() ? 1 : 0;
    failed += one.status.ok() ? 0 : 1;
    if (one.paused_ms) paused.Add(*one.paused_ms);
    paused_in_time += one.paused_ms.value_or(kPromptMs + 1) <= kPromptMs ? 1 : 0;
    cut += one.interrupted ? 1 : 0;
    beginnings += one.interrupted && one.HeardIsABeginning() ? 1 : 0;
    asked += one.right ? 1 : 0;
    right += one.right.value_or(false) ? 1 : 0;
  }
  return {{"row", name},
          {"count", members.size()},
          {"failed", failed},
          {"good", good},
          {"cut", cut},
          {"paused_within_200_ms", paused_in_time},
          {"heard_is_a_beginning", beginnings},
          {"next_answers", asked},
          {"next_right", right},
          {"paused_ms", SummaryJson(paused)}};
}

json Report(const std::vector<Interrupted>& all, const Arguments& arguments) {
  std::vector<std::pair<std::string, std::vector<Interrupted>>> groups;
  for (const Interrupted& one : all) {
    const std::string name =
        one.intrusion == Intrusion::kNoise ? "noise: " + one.what : NameOf(one.intrusion);
    auto group = std::ranges::find(groups, name, [](const auto& entry) { return entry.first; });
    if (group == groups.end()) group = groups.insert(groups.end(), {name, {}});
    group->second.push_back(one);
  }
  json rows = json::array();
  for (const auto& [name, members] : groups) rows.push_back(RowJson(name, members));
  json results = json::array();
  for (const Interrupted& one : all) results.push_back(ResultJson(one));
  return {{"options",
           {{"request", arguments.options.request},
            {"eager", arguments.eager},
            {"interrupt_by", arguments.server.model.empty() ? json(nullptr) : json(arguments.interrupt_by)},
            {"min_voice_ms", arguments.options.interruption.min_voice_ms},
            {"seed", arguments.options.seed},
            {"questions", arguments.questions},
            {"model", arguments.server.model}}},
          {"machine", MachineJson()},
          {"rows", rows},
          {"results", results}};
}

std::string Text(const json& report) {
  std::string text = fmt::format("{:<14}{:>7}{:>8}{:>7}{:>7}{:>10}{:>12}{:>13}\n", "", "count", "failed",
                                 "good", "cut", "<=200 ms", "beginnings", "next right");
  for (const json& row : report.at("rows")) {
    const auto count = [&](const char* key) { return row.at(key).get<int>(); };
    text += fmt::format("{:<14}{:>7}{:>8}{:>7}{:>7}{:>10}{:>12}{:>13}\n", row.at("row").get<std::string>(),
                        count("count"), count("failed"), count("good"), count("cut"),
                        count("paused_within_200_ms"), count("heard_is_a_beginning"),
                        fmt::format("{} of {}", count("next_right"), count("next_answers")));
  }
  text += "\nfrom the onset to the pause\n" + SummaryHead();
  for (const json& row : report.at("rows")) {
    text += SummaryLine(row.at("row").get<std::string>(), row.at("paused_ms"));
  }
  return text;
}

Status Run(const Arguments& arguments) {
  InterruptionsOptions options = arguments.options;
  if (arguments.eager) options.interruption.policy = client::Interruption::Policy::kEager;
  std::vector<Question> questions;
  if (!arguments.questions.empty()) {
    auto read = ReadQuestions(arguments.questions);
    if (!read.ok()) return read.status();
    questions = std::move(*read);
  }
  const Result<ReachedServer> server = Reach(arguments.server, {"--interrupt-by", arguments.interrupt_by});
  if (!server.ok()) return server.status();
  options.server = server->address;
  const int all = options.noises + options.voices + options.cancels;
  const auto listener = [&](const Interrupted& one, int done) {
    if (!one.Good()) {
      std::fputs(fmt::format("{} {}: {}\n", NameOf(one.intrusion), one.what, ResultJson(one).dump()).c_str(),
                 stderr);
    }
    if (done % 25 == 0) std::fprintf(stderr, "%d of %d\n", done, all);
  };
  const auto results = RunInterruptions(questions, options, listener);
  if (!results.ok()) return results.status();
  const json report = Report(*results, arguments);
  std::fputs(Text(report).c_str(), stdout);
  if (Status status = WriteReport(report, arguments.json_file); !status.ok()) return status;
  const bool any = std::ranges::any_of(*results, [](const Interrupted& one) { return one.status.ok(); });
  return any || all == 0 ? OkStatus()
                         : Internal("every one failed; the last: " + results->back().status.ToString());
}

}  // namespace

Command AddInterruptionsCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  InterruptionsOptions& options = arguments->options;
  AddServerOptions(app, &arguments->server);
  app.add_option("--questions", arguments->questions, "Recordings to interrupt with: as for turns")
      ->type_name("PATH");
  const auto number = [&](const char* name, int* value, const char* what) {
    app.add_option(name, *value, what)->check(CLI::Range(0, 100'000))->capture_default_str();
  };
  number("--noises", &options.noises, "Coughs, hums and slams during answers");
  number("--voices", &options.voices, "Questions asked into answers");
  number("--cancels", &options.cancels, "Answers cancelled at a random sample");
  app.add_option("--request", options.request, "What is asked first, typed")->capture_default_str();
  app.add_flag("--eager", arguments->eager, "Let every voice interrupt at once");
  app.add_option("--interrupt-by", arguments->interrupt_by,
                 "What the server that is started judges voices by: words, or sound alone")
      ->check(CLI::IsMember({"words", "sound"}))
      ->capture_default_str()
      ->excludes("--server");
  app.add_option("--min-voice", options.interruption.min_voice_ms, "Shortest voice that interrupts, in ms")
      ->check(CLI::Range(100, 3000));
  app.add_option("--seed", options.seed, "Of moments and sounds")->capture_default_str();
  app.add_option("--json", arguments->json_file, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
