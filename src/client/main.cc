// The command line `antiphon`. Exit status: 0, 1 when the command failed, 2 when it was called wrongly.
#include <CLI/CLI.hpp>
#include <string>

#include "client/ask_command.h"
#include "client/models_command.h"

namespace {

constexpr char kDefaultServer[] = "127.0.0.1:50051";

using antiphon::client::AskCommand;

// --audio and --text may be repeated and mixed, and their order matters; CLI11 keeps it in parse_order().
void OrderQuestions(const CLI::App& app, const CLI::Option* audio, const CLI::Option* text,
                    AskCommand* command) {
  size_t audios = 0, texts = 0;
  for (const CLI::Option* option : app.parse_order()) {
    if (option == audio) command->questions.push_back({true, audio->results()[audios++]});
    if (option == text) command->questions.push_back({false, text->results()[texts++]});
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Talks to an antiphond server.", "antiphon");
  app.require_subcommand(1);

  AskCommand ask;
  ask.server = kDefaultServer;
  CLI::App* ask_app = app.add_subcommand("ask", "Ask questions, spoken or typed, in one conversation");
  const CLI::Option* audio =
      ask_app
          ->add_option("--audio", "A spoken question: an audio file of any rate, mono or stereo; repeatable")
          ->type_name("FILE")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  const CLI::Option* text =
      ask_app->add_option("--text", "A typed question; repeatable, mixes with --audio in order")
          ->type_name("TEXT")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  ask_app->add_option("--server", ask.server, "Where the server listens")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  ask_app->add_option("--out-audio", ask.out_audio, "Write the spoken answers to this WAV file")
      ->type_name("FILE");
  ask_app->add_flag("--write", ask.write, "Ask for written answers, without speech");
  ask_app->add_flag("--fast", ask.fast, "Send audio as fast as it goes; no latency is measured then");
  ask_app->add_flag("--opus", ask.opus, "Opus instead of PCM16, both ways");
  ask_app
      ->add_option("--sample-rate", ask.sample_rate,
                   "Of the audio sent and received, in Hz (default 16000, Opus 24000)")
      ->check(CLI::IsMember({16000, 24000, 48000}));
  ask_app->add_option("--seed", ask.seed, "The same seed gives the same answer");
  ask_app->add_option("--temperature", ask.temperature, "0 (greedy, the default) to 2")
      ->check(CLI::Range(0.0, 2.0));
  double timeout_seconds = 60;
  ask_app->add_option("--timeout", timeout_seconds, "Longest wait for the end of an answer, in seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  ask_app->add_flag("--json", ask.json, "Print one JSON object");

  std::string models_server = kDefaultServer;
  bool models_json = false;
  CLI::App* models_app = app.add_subcommand("models", "List what the server has");
  models_app->add_option("--server", models_server, "Where the server listens")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  models_app->add_flag("--json", models_json, "Print one JSON object");

  try {
    app.parse(argc, argv);
    if (ask_app->parsed()) {
      OrderQuestions(*ask_app, audio, text, &ask);
      if (ask.questions.empty()) throw CLI::RequiredError("--audio or --text");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (models_app->parsed()) return antiphon::client::RunModels(models_server, models_json);
  ask.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 1000));
  return antiphon::client::RunAsk(ask);
}
