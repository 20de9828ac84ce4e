// The options of the command line that say what ends a spoken question.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "antiphon/client.h"

namespace antiphon::client {

class TurnDetectionOptions {
 public:
  // Adds them to `app`, whose parsing then fills `settings`; it stays unset if none is used. Both outlive
  // this, and this the parsing.
  TurnDetectionOptions(CLI::App* app, std::optional<TurnDetection>* settings);
  TurnDetectionOptions(const TurnDetectionOptions&) = delete;
  TurnDetectionOptions& operator=(const TurnDetectionOptions&) = delete;

  // Throws CLI::ValidationError for an option of another mode than the one chosen: it would do nothing.
  // REQUIRES: called after parsing.
  void Check() const;

 private:
  void AddSemantic(CLI::App* app);
  void AddVoiceActivity(CLI::App* app);
  TurnDetection& Settings() const { return *settings_ ? **settings_ : settings_->emplace(); }

  template <typename Value>
  CLI::Option* Add(CLI::App* app, TurnDetectionMode mode, const std::string& name, const std::string& about,
                   const std::function<void(const Value&)>& take);

  std::optional<TurnDetection>* const settings_;
  std::map<const CLI::Option*, TurnDetectionMode> needs_;
};

}  // namespace antiphon::client
