// `antiphon-bench capacity`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/capacity.h"
#include "bench/commands.h"
#include "bench/output.h"
#include "bench/server_account.h"
#include "bench/server_process.h"
#include "bench/statistics.h"

namespace antiphon::bench {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr int kMostSessions = 256;
constexpr double kTargetMs = 300;      // the 99th percentile of turn latency may have
constexpr double kAblationLoad = 0.8;  // of the capacity

struct Arguments {
  std::string model;
  std::string program = ServerProcess::DefaultProgram();
  std::string questions;
  std::vector<int> sessions = {1, 2, 4, 8, 16, 24, 32, 40};
  std::string schedule = "deadlines";
  std::vector<std::string> server_options;
  std::string json_file;
  double seconds = 60;
  double turn_seconds = 8;
  int bulk = 2;
};

// One load on a server of its own.
struct Trial {
  int sessions = 1;
  std::string schedule = "deadlines";
  std::string admission = "all";
  bool until_refused = false;
  int bulk = 0;
};

// Reads the accounts of server and load generator at both ends of the measured time.
class Accountant final : public CapacityListener {
 public:
  Accountant(std::string metrics_address, pid_t server)
      : metrics_address_(std::move(metrics_address)), server_(server) {}

  void OnBegin() override { begin_ = Read(); }
  void OnEnd() override { end_ = Read(); }

  // What was used between the two. Errors of either reading.
  Result<json> Report() const {
    if (!begin_.server.ok()) return begin_.server.status();
    if (!end_.server.ok()) return end_.server.status();
    const ServerAccount used = *end_.server - *begin_.server;
    const double seconds = std::chrono::duration<double>(end_.at - begin_.at).count();
    const double machine = seconds * std::max(1u, std::thread::hardware_concurrency());
    const auto mean = [](double sum, double count) { return count > 0 ? sum / count : 0.0; };
    return json{{"seconds", seconds},
                {"timed_frames", used.timed_frames},
                {"deadline_misses", used.deadline_misses},
                {"server_underruns", used.underruns},
                {"steps", used.steps},
                {"step_ms", 1e3 * mean(used.step_seconds, used.steps)},
                {"step_positions", mean(used.positions, used.steps)},
                {"engine_busy", used.step_seconds / seconds},
                {"step_over_predicted", mean(used.step_seconds, used.predicted_seconds)},
                {"prediction_error", mean(used.prediction_error_seconds, used.step_seconds)},
                {"server_cpu", used.cpu_seconds / machine},
                {"load_cpu", (end_.own - begin_.own) / machine}};
  }

 private:
  struct Reading {
    std::chrono::steady_clock::time_point at;
    Result<ServerAccount> server = Internal("not read");
    double own = 0;  // s of CPU
  };
  Reading Read() const {
    return {std::chrono::steady_clock::now(), ReadAccount(metrics_address_, server_), CpuSeconds(getpid())};
  }

  const std::string metrics_address_;
  const pid_t server_;
  Reading begin_, end_;
};

Result<json> RunTrial(const Arguments& arguments, const std::vector<Question>& questions,
                      const Trial& trial) {
  const Result<int> port = ServerProcess::FreePort();
  if (!port.ok()) return port.status();
  const std::string metrics = "127.0.0.1:" + std::to_string(*port);
  // The machine is to say no, not an option.
  const int room = trial.until_refused ? kMostSessions : trial.sessions + trial.bulk;
  std::vector<std::string> command = {"--model",       arguments.model,  "--metrics-address",
                                      metrics,         "--max-sessions", std::to_string(room),
                                      "--schedule",    trial.schedule,   "--admission",
                                      trial.admission, "--log-level",    "warning"};
  command.insert(command.end(), arguments.server_options.begin(), arguments.server_options.end());
  auto server = ServerProcess::Start(arguments.program, std::move(command));
  if (!server.ok()) return server.status();

  CapacityOptions options;
  options.server = (*server)->target();
  options.sessions = trial.until_refused ? kMostSessions : trial.sessions;
  options.turn_every = milliseconds(static_cast<int64_t>(arguments.turn_seconds * 1e3));
  options.until_refused = trial.until_refused;
  if (!trial.until_refused)
    options.call_every = std::max(milliseconds(1), options.turn_every / trial.sessions);
  options.measured = milliseconds(static_cast<int64_t>(arguments.seconds * 1e3));
  options.bulk = trial.bulk;
  Accountant accountant(metrics, (*server)->pid());
  const Result<CapacityLoad> load = RunCapacity(questions, options, &accountant);
  if (!load.ok()) return load.status();
  Result<json> account = accountant.Report();
  if (!account.ok()) return account.status();

  json report = {{"sessions", load->admitted},
                 {"refused", load->refusals.size()},
                 {"schedule", trial.schedule},
                 {"admission", trial.admission},
                 {"bulk", trial.bulk},
                 {"bulk_answers", load->bulk_answers},
                 {"turns", load->turns},
                 {"cut_ins", load->cut_ins},
                 {"failures", load->failures.size()},
                 {"underruns", load->underruns},
                 {"turn_ms", SummaryJson(load->turn_ms)},
                 {"endpoint_ms", SummaryJson(load->endpoint_ms)},
                 {"margin_ms", SummaryJson(load->margin_ms)}};
  if (!load->refusals.empty()) report["refusal"] = load->refusals.back().ToString();
  if (!load->failures.empty()) report["failure"] = load->failures.back().ToString();
  report.update(*account);
  return report;
}

double Percentile(const json& report, const char* name) {
  return report.at("turn_ms").is_null() ? 0.0 : report.at("turn_ms").at(name).get<double>();
}

bool Holds(const json& report) {
  // Turns without a sound of an answer have no latency.
  return !report.at("turn_ms").is_null() && report.at("failures") == 0 && report.at("underruns") == 0 &&
         report.at("refused") == 0 && Percentile(report, "p99") <= kTargetMs;
}

std::string Head() {
  return fmt::format("{:>8} {:>9} {:>6} {:>7} {:>7} {:>7} {:>9} {:>7} {:>15} {:>8} {:>7} {:>9} {:>8} {:>7}\n",
                     "sessions", "schedule", "turns", "median", "p95", "p99", "underruns", "failed",
                     "missed/frames", "step ms", "busy", "pred.err.", "server", "load");
}

std::string Line(const json& r) {
  return fmt::format(
      "{:>8} {:>9} {:>6} {:>7.1f} {:>7.1f} {:>7.1f} {:>9} {:>7} {:>15} {:>8.2f} {:>6.1f}% {:>8.1f}% "
      "{:>7.1f}% "
      "{:>6.1f}%\n",
      r.at("sessions").get<int>(), r.at("schedule").get<std::string>(), r.at("turns").get<int>(),
      Percentile(r, "median"), Percentile(r, "p95"), Percentile(r, "p99"), r.at("underruns").get<int>(),
      r.at("failures").get<int>(),
      fmt::format("{:.0f}/{:.0f}", r.at("deadline_misses").get<double>(), r.at("timed_frames").get<double>()),
      r.at("step_ms").get<double>(), 1e2 * r.at("engine_busy").get<double>(),
      1e2 * r.at("prediction_error").get<double>(), 1e2 * r.at("server_cpu").get<double>(),
      1e2 * r.at("load_cpu").get<double>());
}

Result<json> RunAndPrint(const Arguments& arguments, const std::vector<Question>& questions,
                         const Trial& trial) {
  Result<json> report = RunTrial(arguments, questions, trial);
  if (!report.ok()) return report;
  std::fputs(Line(*report).c_str(), stdout);
  std::fflush(stdout);
  return report;
}

Status Run(const Arguments& arguments) {
  const Result<std::vector<Question>> questions = ReadQuestions(arguments.questions);
  if (!questions.ok()) return questions.status();
  json report = {{"machine", MachineJson()},
                 {"model", arguments.model},
                 {"questions", arguments.questions},
                 {"seconds", arguments.seconds},
                 {"turn_seconds", arguments.turn_seconds},
                 {"server_options", arguments.server_options},
                 {"target_ms", kTargetMs}};
  std::fputs(Head().c_str(), stdout);
  int capacity = 0;
  const std::string first = arguments.schedule == "arrival" ? "arrival" : "deadlines";
  for (const int sessions : arguments.sessions) {
    Result<json> trial = RunAndPrint(arguments, *questions, {.sessions = sessions, .schedule = first});
    if (!trial.ok()) return trial.status();
    if (Holds(*trial)) capacity = std::max(capacity, sessions);
    report["trials"].push_back(*std::move(trial));
  }
  Result<json> promised =
      RunAndPrint(arguments, *questions, {.schedule = first, .admission = "promised", .until_refused = true});
  if (!promised.ok()) return promised.status();
  if (promised->at("refused") > 0) {
    std::fputs(fmt::format("that was until one was refused: {}\n", promised->at("refusal").get<std::string>())
                   .c_str(),
               stdout);
  }
  report["until_refused"] = *promised;
  report["capacity"] = capacity;
  std::fputs(fmt::format("held by {} of the numbers asked for: p99 <= {:.0f} ms, no underrun, no failure\n",
                         capacity, kTargetMs)
                 .c_str(),
             stdout);
  if (arguments.schedule == "both") {
    const int found = capacity > 0 ? capacity : promised->at("sessions").get<int>();
    const int sessions = std::max(1, static_cast<int>(found * kAblationLoad));
    std::fputs(
        fmt::format("\n{} sessions, and {} clients of Generate beside them\n", sessions, arguments.bulk)
            .c_str(),
        stdout);
    for (const char* schedule : {"deadlines", "arrival"}) {
      Result<json> trial = RunAndPrint(arguments, *questions,
                                       {.sessions = sessions, .schedule = schedule, .bulk = arguments.bulk});
      if (!trial.ok()) return trial.status();
      report["schedules"].push_back(*std::move(trial));
    }
  }
  return WriteReport(report, arguments.json_file);
}

}  // namespace

Command AddCapacityCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--model", arguments->model, "The model of the servers that are started")
      ->type_name("FOLDER")
      ->required();
  app.add_option("--antiphond", arguments->program, "The server to start")
      ->type_name("PROGRAM")
      ->capture_default_str();
  app.add_option("--questions", arguments->questions, "A manifest, or a folder with one or with WAV files")
      ->type_name("PATH")
      ->required();
  app.add_option("--sessions", arguments->sessions, "Users at once, one trial each")
      ->delimiter(',')
      ->check(CLI::Range(1, kMostSessions))
      ->capture_default_str();
  app.add_option("--seconds", arguments->seconds, "Measured time of a trial")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--turn-seconds", arguments->turn_seconds, "From one question of a user to the next")
      ->check(CLI::Range(1.0, 60.0))
      ->capture_default_str();
  app.add_option("--schedule", arguments->schedule,
                 "deadlines or arrival; both: deadlines, and at the end the two against each other")
      ->check(CLI::IsMember({"deadlines", "arrival", "both"}))
      ->capture_default_str();
  app.add_option("--bulk", arguments->bulk, "Clients of Generate beside that comparison")
      ->check(CLI::Range(0, 16))
      ->capture_default_str();
  app.add_option("--server-option", arguments->server_options,
                 "Given to the servers as it is; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--json", arguments->json_file, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
