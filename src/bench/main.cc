// antiphon-bench: what the server, the codec and the model cost, measured. Exit status: 0, 1 when the
// benchmark failed, 2 when it was called wrongly.
#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "bench/commands.h"

int main(int argc, char** argv) {
  using antiphon::bench::Command;
  CLI::App app("Measures Antiphon.", "antiphon-bench");
  app.require_subcommand(1);

  std::vector<std::pair<CLI::App*, Command>> commands;
  const auto add = [&](const char* name, const char* description, Command (*adder)(CLI::App&)) {
    CLI::App* command = app.add_subcommand(name, description);
    commands.emplace_back(command, adder(*command));
  };
  add("turns", "Simulated users ask questions over the network: latency, gaps, right answers",
      antiphon::bench::AddTurnsCommand);
  add("capacity", "Ever more simulated users at once, until the server refuses one",
      antiphon::bench::AddCapacityCommand);
  add("interruptions",
      "Simulated users cough and speak into answers: what pauses them, what cuts them, what is remembered",
      antiphon::bench::AddInterruptionsCommand);
  add("resume", "Connections are cut at random moments: whether anything is lost, and how long it takes",
      antiphon::bench::AddResumptionsCommand);
  add("move",
      "Conversations move to another server at random moments: whether anything is lost, and how long it "
      "takes",
      antiphon::bench::AddMovesCommand);
  add("codec", "The audio codec: speed on one core, delay", antiphon::bench::AddCodecCommand);
  add("image-codec", "The image codec: time to show a picture and to paint one",
      antiphon::bench::AddImageCodecCommand);
  add("engine", "One step of the model against the floor that memory sets",
      antiphon::bench::AddEngineCommand);
  add("context", "A long context: prefill, one position and memory, beside conversations in real time",
      antiphon::bench::AddContextCommand);
  add("linear", "The matrix products of a step against the floor that memory sets",
      antiphon::bench::AddLinearCommand);
  add("decode", "Steps of a random model that write a symbol for each of some sequences, against the floor",
      antiphon::bench::AddDecodeCommand);
  add("prefill", "How long a random model takes to read a text", antiphon::bench::AddPrefillCommand);
  add("attention", "The attention of a step against the floor that reading the cache sets",
      antiphon::bench::AddAttentionCommand);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const auto& [command, run] : commands) {
    if (command->parsed()) return run();
  }
  return 2;
}
