// The command line `antiphon`. Exit status: 0, 1 when the command failed, 2 when it was called wrongly.
#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/types.h"
#include "client/ask_command.h"
#include "client/command_line.h"
#include "client/function_options.h"
#include "client/generate_command.h"
#include "client/interruption_options.h"
#include "client/models_command.h"
#include "client/quantize_command.h"
#include "client/replay_command.h"
#include "client/turn_detection_options.h"

namespace {

constexpr char kDefaultServer[] = "127.0.0.1:50051";

using antiphon::SpeechSpeed;
using antiphon::client::AskCommand;
using antiphon::client::AudioEncoding;
using antiphon::client::FormatOptions;
using antiphon::client::GenerateCommand;
using antiphon::client::InterruptionOptions;
using antiphon::client::Item;
using antiphon::client::NoiseSuppression;
using antiphon::client::ReplayCommand;
using antiphon::client::TurnDetectionOptions;

// What --audio, --text and --image have in common: they may be repeated and mixed, and their order matters,
// which CLI11 keeps in parse_order().
class Items {
 public:
  void Add(Item::Kind kind, CLI::Option* option) {
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    sources_[option] = {kind, 0};
  }

  // REQUIRES: called once, after parsing.
  std::vector<Item> InOrder(const CLI::App& app) {
    std::vector<Item> items;
    for (const CLI::Option* option : app.parse_order()) {
      const auto source = sources_.find(option);
      if (source == sources_.end()) continue;
      items.push_back({source->second.kind, option->results()[source->second.taken++]});
    }
    if (items.empty()) throw CLI::RequiredError("--audio, --text or --image");
    return items;
  }

 private:
  struct Source {
    Item::Kind kind;
    size_t taken;
  };
  std::map<const CLI::Option*, Source> sources_;
};

void AddServer(CLI::App* app, std::string* server) {
  *server = kDefaultServer;
  app->add_option("--server", *server, "Where the server listens")
      ->type_name("HOST:PORT")
      ->capture_default_str();
}

// What `ask` and `generate` both have, with one meaning.
template <typename Command>
void AddCommon(CLI::App* app, Command* command) {
  AddServer(app, &command->server);
  app->add_option("--instructions", command->instructions,
                  "How the model is to behave, for one that was trained with instructions")
      ->type_name("TEXT");
  app->add_option("--voice", command->voice, "One of the voices that `antiphon models` lists")
      ->type_name("NAME");
  app->add_option_function<std::string>(
         "--speed",
         [command](const std::string& speed) {
           command->speed = speed == "slow"   ? SpeechSpeed::kSlow
                            : speed == "fast" ? SpeechSpeed::kFast
                                              : SpeechSpeed::kNormal;
         },
         "How fast to answer")
      ->check(CLI::IsMember({"slow", "normal", "fast"}));
  app->add_option("--seed", command->seed, "The same seed gives the same answer");
  app->add_option("--temperature", command->temperature, "0 (greedy, the default) to 2")
      ->check(CLI::Range(0.0, 2.0));
  app->add_option_function<double>(
         "--wait",
         [command](double seconds) {
           command->wait_for_place = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
         },
         "How long to wait for a place, in seconds, while the server is full")
      ->check(CLI::Range(0.0, 600.0))
      ->default_str("0");
  app->add_option_function<double>(
         "--timeout",
         [command](double seconds) {
           command->timeout = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
         },
         "Longest wait for the end of an answer, in seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->default_str("60");
  app->add_flag("--json", command->json, "Print one JSON object");
}

void AddFormat(CLI::App* app, FormatOptions* format, const std::string& of_what) {
  const std::map<std::string, AudioEncoding> encodings = {{"pcm16", AudioEncoding::kPcm16},
                                                          {"opus", AudioEncoding::kOpus},
                                                          {"ulaw", AudioEncoding::kG711Ulaw},
                                                          {"alaw", AudioEncoding::kG711Alaw}};
  app->add_option_function<std::string>(
         "--audio-format",
         [format, encodings](const std::string& name) { format->encoding = encodings.at(name); },
         of_what + ": pcm16, opus, ulaw or alaw (G.711, the telephone's)")
      ->check(CLI::IsMember(encodings))
      ->default_str("pcm16");
  app->add_option("--sample-rate", format->sample_rate,
                  "Its rate in Hz (default 16000, opus 24000, ulaw and alaw 8000)")
      ->check(CLI::IsMember({8000, 16000, 24000, 48000}));
  app->add_option("--expected-loss", format->expected_loss_percent,
                  "Of opus: percent of packets to be prepared for the loss of (default 0)")
      ->check(CLI::Range(0, 30));
}

CLI::App* AddAsk(CLI::App* app, Items* items, AskCommand* ask) {
  CLI::App* command = app->add_subcommand("ask", "Ask questions, spoken or typed, in one conversation");
  items->Add(
      Item::Kind::kAudio,
      command
          ->add_option("--audio", "A spoken question: an audio file of any rate, mono or stereo; repeatable")
          ->type_name("FILE"));
  items->Add(Item::Kind::kText,
             command->add_option("--text", "A typed question; repeatable, mixes with --audio in order")
                 ->type_name("TEXT"));
  items->Add(Item::Kind::kImage,
             command
                 ->add_option(
                     "--image",
                     "A picture for the question behind it: a PNG, JPEG or WebP file; repeatable; a question "
                     "of its own if none is behind it")
                 ->type_name("FILE"));
  command
      ->add_option(
          "--video", ask->video,
          "A frame of video: a PNG, JPEG or WebP file; repeatable; sent one after the other from the "
          "start, while spoken questions are asked and before typed ones")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FILE");
  command->add_option("--video-fps", ask->video_fps, "Frames of video a second, 0.1 to 5")
      ->check(CLI::Range(0.1, 5.0))
      ->capture_default_str();
  AddCommon(command, ask);
  command->add_option("--out-audio", ask->out_audio, "Write the spoken answers to this WAV file")
      ->type_name("FILE");
  command
      ->add_option("--out-image", ask->out_image,
                   "Write the pictures of the answers to this PNG file, and to FILE-2.png and so on")
      ->type_name("FILE");
  command->add_option("--from-session", ask->from_session, "Go on from this file of --out-session")
      ->type_name("FILE");
  command
      ->add_option("--out-session", ask->out_session,
                   "Write what the model knows of the conversation to this file, to go on from there later, "
                   "on any server with the same model")
      ->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--noise-suppression",
          [ask](const std::string& how_much) {
            ask->enhancement.emplace().noise_suppression = how_much == "low" ? NoiseSuppression::kLow
                                                           : how_much == "moderate"
                                                               ? NoiseSuppression::kModerate
                                                           : how_much == "high" ? NoiseSuppression::kHigh
                                                                                : NoiseSuppression::kOff;
          },
          "How much of a steady noise the server takes out of spoken questions (default off)")
      ->check(CLI::IsMember({"off", "low", "moderate", "high"}));
  command->add_flag("--write", ask->write, "Ask for written answers, without speech");
  command->add_flag("--fast", ask->fast, "Send audio as fast as it goes; no latency is measured then");
  AddFormat(command, &ask->format, "Of the audio, both ways");
  return command;
}

CLI::App* AddGenerate(CLI::App* app, Items* items, GenerateCommand* generate) {
  CLI::App* command =
      app->add_subcommand("generate", "One call: text, audio and pictures in any order in, one response out");
  items->Add(Item::Kind::kText,
             command->add_option("--text", "A part: text; repeatable, mixes with the others in order")
                 ->type_name("TEXT"));
  items->Add(Item::Kind::kAudio,
             command->add_option("--audio", "A part: an audio file of any rate, mono or stereo; likewise")
                 ->type_name("FILE"));
  items->Add(Item::Kind::kImage,
             command->add_option("--image", "A part: a PNG, JPEG or WebP file; likewise")->type_name("FILE"));
  AddCommon(command, generate);
  command
      ->add_option("--modalities", generate->modalities,
                   "What the response may be made of: text (always), audio, image, separated by commas; all "
                   "that the model can unless told")
      ->delimiter(',')
      ->check(CLI::IsMember({"text", "audio", "image"}));
  command->add_option("--out-audio", generate->out_audio, "Write the speech to this WAV file")
      ->type_name("FILE");
  command
      ->add_option("--out-image", generate->out_image,
                   "Write the pictures to this PNG file, and to FILE-2.png and so on")
      ->type_name("FILE");
  command
      ->add_option("--max-seconds", generate->max_response_seconds,
                   "The longest response in seconds of speech (default 30)")
      ->check(CLI::Range(1, 60));
  AddFormat(command, &generate->format, "Of the speech as it comes");
  return command;
}

CLI::App* AddReplay(CLI::App* app, ReplayCommand* replay) {
  CLI::App* command =
      app->add_subcommand("replay", "Have recorded sessions run again, and see whether the same comes out");
  AddServer(command, &replay->server);
  command->add_option("FILE", replay->files, "Files of antiphond --record")->required();
  command->add_option("--sessions", replay->sessions, "How many at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option_function<double>(
          "--timeout",
          [replay](double seconds) {
            replay->timeout = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
          },
          "Longest wait for the end of each, in seconds")
      ->check(CLI::Range(0.1, 86400.0))
      ->default_str("600");
  command->add_flag("--json", replay->json, "Print one JSON object");
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "quantize") return antiphon::client::RunQuantize(argv + 2);
  CLI::App app("Talks to an antiphond server.", "antiphon");
  app.require_subcommand(1);

  AskCommand ask;
  Items questions;
  CLI::App* ask_app = AddAsk(&app, &questions, &ask);
  const TurnDetectionOptions turn_detection(ask_app, &ask.turn_detection);
  const InterruptionOptions interruption(ask_app, &ask);
  antiphon::client::AddFunctions(ask_app, &ask.functions);

  GenerateCommand generate;
  Items parts;
  const CLI::App* generate_app = AddGenerate(&app, &parts, &generate);

  ReplayCommand replay;
  const CLI::App* replay_app = AddReplay(&app, &replay);

  std::string models_server;
  bool models_json = false;
  CLI::App* models_app = app.add_subcommand("models", "List what the server has");
  AddServer(models_app, &models_server);
  models_app->add_flag("--json", models_json, "Print one JSON object");

  // For the list of --help: main has taken it already.
  app.add_subcommand("quantize", "Write an int8 copy of a model folder (no server needed)");

  try {
    app.parse(argc, argv);
    if (ask_app->parsed()) {
      ask.items = questions.InOrder(*ask_app);
      turn_detection.Check();
      interruption.Check();
    }
    if (generate_app->parsed()) generate.parts = parts.InOrder(*generate_app);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (models_app->parsed()) return antiphon::client::RunModels(models_server, models_json);
  if (generate_app->parsed()) return antiphon::client::RunGenerate(generate);
  if (replay_app->parsed()) return antiphon::client::RunReplay(replay);
  return antiphon::client::RunAsk(ask);
}
