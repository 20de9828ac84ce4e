// The options of the command line that say what a voice does to an answer that is being played, and how it is
// played.
#pragma once

#include <CLI/CLI.hpp>

#include "client/ask_command.h"

namespace antiphon::client {

class InterruptionOptions {
 public:
  // Adds them to `app`, whose parsing then fills `command`; its settings stay unset if none is used. Both
  // outlive this, and this the parsing.
  InterruptionOptions(CLI::App* app, AskCommand* command);
  InterruptionOptions(const InterruptionOptions&) = delete;
  InterruptionOptions& operator=(const InterruptionOptions&) = delete;

  // Throws CLI::ValidationError for --min-voice with a policy that does not ask how long a voice is: it would
  // do nothing. REQUIRES: called after parsing.
  void Check() const;

 private:
  Interruption& Settings() const {
    auto& settings = command_->interruption;
    return settings ? *settings : settings.emplace();
  }

  AskCommand* const command_;
  const CLI::Option* min_voice_ = nullptr;
};

}  // namespace antiphon::client
