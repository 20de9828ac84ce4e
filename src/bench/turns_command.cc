// `antiphon-bench turns`.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/tested_server.h"
#include "bench/turns.h"
#include "bench/turns_report.h"

namespace antiphon::bench {
namespace {

struct Arguments {
  TurnsOptions options;
  TestedServer server;
  std::string questions;
  std::string json;
  bool fast = false;
  bool write = false;
  bool opus = false;
  bool quiet = false;
  double timeout_seconds = 60;
  int turns = 0;
};

Status Run(const Arguments& arguments) {
  TurnsOptions options = arguments.options;
  options.real_time = !arguments.fast;
  options.speak = !arguments.write;
  if (arguments.opus) options.audio = {client::AudioEncoding::kOpus, 24000};
  options.timeout = std::chrono::milliseconds(static_cast<int64_t>(arguments.timeout_seconds * 1000));
  const Result<std::vector<Question>> questions = ReadQuestions(arguments.questions);
  if (!questions.ok()) return questions.status();
  options.turns = arguments.turns > 0 ? arguments.turns : static_cast<int>(questions->size());

  // Twice the room: a user who calls again may be there before the call just ended is gone.
  const std::string room = std::to_string(std::max(8, 2 * options.sessions));
  const Result<ReachedServer> server = Reach(arguments.server, {"--max-sessions", room});
  if (!server.ok()) return server.status();
  options.server = server->address;
  const auto listener = [&](const Turn& turn, int done) {
    if (arguments.quiet) return;
    std::fputs(ComplaintText(questions->at(turn.question), turn).c_str(), stderr);
    if (done % 50 == 0) std::fprintf(stderr, "%d of %d turns\n", done, options.turns);
  };
  const auto start = std::chrono::steady_clock::now();
  const Result<std::vector<Turn>> turns = RunTurns(*questions, options, listener);
  if (!turns.ok()) return turns.status();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  nlohmann::json report = TurnsJson(*questions, *turns, options, seconds);
  report["options"].update({{"model", arguments.server.model},
                            {"server", arguments.server.address},
                            {"questions", arguments.questions},
                            {"timeout_seconds", arguments.timeout_seconds}});
  std::fputs(TurnsText(report).c_str(), stdout);
  if (Status status = WriteReport(report, arguments.json); !status.ok()) return status;
  if (report.at("failures") == options.turns) {
    return Internal("every turn failed; the last: " + turns->back().status.ToString());
  }
  return OkStatus();
}

}  // namespace

Command AddTurnsCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  TurnsOptions& options = arguments->options;
  AddServerOptions(app, &arguments->server);
  app.add_option("--questions", arguments->questions, "A manifest, or a folder with one or with WAV files")
      ->type_name("PATH")
      ->required();
  app.add_option("--turns", arguments->turns, "How many; 0: each question once")
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--sessions", options.sessions, "Users at once")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--turns-per-session", options.turns_per_session, "Then the user calls again")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_flag("--fast", arguments->fast,
               "Send speech as fast as it goes: answers are judged, latency is not");
  app.add_flag("--typed", options.typed, "Type the questions' texts");
  app.add_flag("--write", arguments->write, "Ask for written answers");
  app.add_flag("--draw", options.draw, "Let answers have pictures");
  app.add_flag("--opus", arguments->opus, "Opus at 24 kHz instead of PCM16 at 16 kHz, both ways");
  app.add_option("--timeout", arguments->timeout_seconds, "Longest wait for an answer, in seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  app.add_flag("--quiet", arguments->quiet, "Do not print wrong answers and progress on the way");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
