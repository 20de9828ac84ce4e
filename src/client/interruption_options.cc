#include "client/interruption_options.h"

#include <string>

namespace antiphon::client {

InterruptionOptions::InterruptionOptions(CLI::App* app, AskCommand* command) : command_(command) {
  using Policy = Interruption::Policy;
  app->add_option_function<std::string>(
         "--interruption",
         [this](const std::string& policy) {
           Settings().policy = policy == "off"     ? Policy::kOff
                               : policy == "eager" ? Policy::kEager
                                                   : Policy::kCautious;
         },
         "What a voice does to an answer that is being played: nothing, pause it and cut it if it goes on "
         "(the default), or cut it at once")
      ->check(CLI::IsMember({"off", "cautious", "eager"}));
  min_voice_ =
      app->add_option_function<int>(
             "--min-voice", [this](int ms) { Settings().min_voice_ms = ms; },
             "cautious: how long a voice must go on to cut an answer, in ms, 100 to 3000 (default 500)")
          ->check(CLI::Range(100, 3000))
          ->type_name("MS");
  app->add_option("--playback-delay", command->playback_delay_ms,
                  "How long after its arrival an answer is played, in ms, 0 to 2000: what a loudspeaker's "
                  "buffer holds (default 0)")
      ->check(CLI::Range(0, 2000))
      ->type_name("MS");
  app->add_option("--max-lead", command->max_lead_ms,
                  "How far ahead of its playback an answer is sent, in ms, 200 to 60000 (default 5000, with "
                  "--fast 60000: all at once)")
      ->check(CLI::Range(200, kLongestLeadMs))
      ->type_name("MS");
}

void InterruptionOptions::Check() const {
  const auto policy = command_->interruption.value_or(Interruption{}).policy;
  if (min_voice_->count() == 0 || policy == Interruption::Policy::kCautious) return;
  throw CLI::ValidationError(min_voice_->get_name(), "needs --interruption cautious");
}

}  // namespace antiphon::client
