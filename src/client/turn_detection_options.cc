#include "client/turn_detection_options.h"

namespace antiphon::client {

TurnDetectionOptions::TurnDetectionOptions(CLI::App* app, std::optional<TurnDetection>* settings)
    : settings_(settings) {
  app->add_option_function<std::string>(
         "--turn-detection",
         [this](const std::string& mode) {
           Settings().mode = mode == "none"         ? TurnDetectionMode::kNone
                             : mode == "server-vad" ? TurnDetectionMode::kServerVad
                                                    : TurnDetectionMode::kSemantic;
         },
         "What ends a spoken question: a commit behind its last word, silence, or the model's judgement (the "
         "default)")
      ->check(CLI::IsMember({"none", "server-vad", "semantic"}));
  AddSemantic(app);
  AddVoiceActivity(app);
}

template <typename Value>
CLI::Option* TurnDetectionOptions::Add(CLI::App* app, TurnDetectionMode mode, const std::string& name,
                                       const std::string& about,
                                       const std::function<void(const Value&)>& take) {
  CLI::Option* option = app->add_option_function<Value>(name, take, about);
  needs_[option] = mode;
  return option;
}

void TurnDetectionOptions::AddSemantic(CLI::App* app) {
  const auto eagerness = [this](const std::string& level) {
    Settings().eagerness = level == "low"    ? Eagerness::kLow
                           : level == "high" ? Eagerness::kHigh
                                             : Eagerness::kMedium;
  };
  Add<std::string>(app, TurnDetectionMode::kSemantic, "--eagerness",
                   "semantic: how soon the model takes its turn", eagerness)
      ->check(CLI::IsMember({"low", "medium", "high"}));
  Add<float>(app, TurnDetectionMode::kSemantic, "--threshold",
             "semantic: the probability from which it does, instead of what --eagerness makes it",
             [this](float probability) { Settings().threshold = probability; })
      ->check(CLI::Range(0.0001, 0.9999))
      ->type_name("P");
  Add<int>(app, TurnDetectionMode::kSemantic, "--max-silence",
           "semantic: silence in ms that ends a question in any case, 200 to 10000",
           [this](int ms) { Settings().max_silence_ms = ms; })
      ->check(CLI::Range(200, 10000))
      ->type_name("MS");
}

void TurnDetectionOptions::AddVoiceActivity(CLI::App* app) {
  Add<int>(app, TurnDetectionMode::kServerVad, "--silence",
           "server-vad: silence in ms that ends a question, 200 to 5000 (default 500)",
           [this](int ms) { Settings().silence_duration_ms = ms; })
      ->check(CLI::Range(200, 5000))
      ->type_name("MS");
  app->add_option_function<int>(
         "--prefix-padding", [this](int ms) { Settings().prefix_padding_ms = ms; },
         "How much from before a voice the model hears, in ms, 0 to 1000 (default 300)")
      ->check(CLI::Range(0, 1000))
      ->type_name("MS");
  app->add_option_function<float>(
         "--vad-threshold", [this](float sure) { Settings().vad_threshold = sure; },
         "How sure voice activity must be of a voice, 0 to 1 (default 0.5)")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P");
}

void TurnDetectionOptions::Check() const {
  const TurnDetectionMode mode = settings_->value_or(TurnDetection{}).mode;
  for (const auto& [option, needed] : needs_) {
    if (option->count() == 0 || mode == needed) continue;
    const char* const name = needed == TurnDetectionMode::kSemantic ? "semantic" : "server-vad";
    throw CLI::ValidationError(option->get_name(), std::string("needs --turn-detection ") + name);
  }
}

}  // namespace antiphon::client
