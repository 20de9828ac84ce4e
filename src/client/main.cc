// The command line `antiphon`. Exit status: 0, 1 when the command failed, 2 when it was called wrongly.
#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "client/ask_command.h"
#include "client/models_command.h"

namespace {

constexpr char kDefaultServer[] = "127.0.0.1:50051";

using antiphon::client::AskCommand;

// What --audio, --text and --image have in common: they may be repeated and mixed, and their order matters,
// which CLI11 keeps in parse_order().
class Items {
 public:
  void Add(AskCommand::Kind kind, CLI::Option* option) {
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    sources_[option] = {kind, 0};
  }

  std::vector<AskCommand::Item> InOrder(const CLI::App& app) {
    std::vector<AskCommand::Item> items;
    for (const CLI::Option* option : app.parse_order()) {
      const auto source = sources_.find(option);
      if (source == sources_.end()) continue;
      items.push_back({source->second.kind, option->results()[source->second.taken++]});
    }
    return items;
  }

 private:
  struct Source {
    AskCommand::Kind kind;
    size_t taken;
  };
  std::map<const CLI::Option*, Source> sources_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Talks to an antiphond server.", "antiphon");
  app.require_subcommand(1);

  AskCommand ask;
  ask.server = kDefaultServer;
  CLI::App* ask_app = app.add_subcommand("ask", "Ask questions, spoken or typed, in one conversation");
  Items items;
  items.Add(
      AskCommand::Kind::kAudio,
      ask_app
          ->add_option("--audio", "A spoken question: an audio file of any rate, mono or stereo; repeatable")
          ->type_name("FILE"));
  items.Add(AskCommand::Kind::kText,
            ask_app->add_option("--text", "A typed question; repeatable, mixes with --audio in order")
                ->type_name("TEXT"));
  items.Add(AskCommand::Kind::kImage,
            ask_app
                ->add_option(
                    "--image",
                    "A picture for the question behind it: a PNG, JPEG or WebP file; repeatable; a question "
                    "of its own if none is behind it")
                ->type_name("FILE"));
  ask_app->add_option("--server", ask.server, "Where the server listens")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  ask_app->add_option("--out-audio", ask.out_audio, "Write the spoken answers to this WAV file")
      ->type_name("FILE");
  ask_app
      ->add_option("--out-image", ask.out_image,
                   "Write the pictures of the answers to this PNG file, and to FILE-2.png and so on")
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
      ask.items = items.InOrder(*ask_app);
      if (ask.items.empty()) throw CLI::RequiredError("--audio, --text or --image");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (models_app->parsed()) return antiphon::client::RunModels(models_server, models_json);
  ask.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 1000));
  return antiphon::client::RunAsk(ask);
}
