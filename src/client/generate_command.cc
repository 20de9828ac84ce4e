#include "client/generate_command.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "antiphon/generate.h"
#include "client/answer_files.h"
#include "client/image_file.h"
#include "client/report.h"
#include "media/wav.h"

namespace antiphon::client {
namespace {

Result<Part> ReadPart(const Item& item) {
  if (item.kind == Item::Kind::kText) return Part(TextPart{item.value});
  if (item.kind == Item::Kind::kImage) {
    Result<ImageFile> image = ReadImageFile(item.value);
    if (!image.ok()) return image.status();
    return Part(std::move(*image));
  }
  Result<Audio> audio = ReadWav(item.value);
  if (!audio.ok()) return audio.status();
  return Part(Recording{std::move(audio->samples), audio->sample_rate});
}

Result<GenerateRequest> RequestFor(const GenerateCommand& command) {
  GenerateRequest request;
  for (const Item& item : command.parts) {
    Result<Part> part = ReadPart(item);
    if (!part.ok()) return part.status();
    request.parts.push_back(std::move(*part));
  }
  if (!command.modalities.empty()) {
    const auto wanted = [&](std::string_view modality) {
      return std::ranges::find(command.modalities, modality) != command.modalities.end();
    };
    request.speak = wanted("audio");
    request.draw = wanted("image");
  } else if (!command.out_image.empty()) {
    request.draw = true;
  }
  request.output_audio = FormatFor(command.format);
  request.sampling.seed = command.seed.value_or(0);
  request.sampling.temperature = command.temperature.value_or(0.0f);
  request.max_response_seconds = command.max_response_seconds;
  request.instructions = command.instructions.value_or("");
  request.voice = command.voice;
  request.speed = command.speed;
  return request;
}

// Prints an answer while it comes: what was heard, then the text.
class Printer {
 public:
  explicit Printer(const Generation& generation) : generation_(generation) {}

  void Print(const Event& event) {
    const auto* delta = std::get_if<TextDelta>(&event.body);
    if (delta == nullptr) return;
    if (!std::exchange(begun_, true)) {
      if (!generation_.answer.transcript.empty())
        Put(Labelled("heard", generation_.answer.transcript) + "\n");
      Put(Labelled(generation_.model, ""));
    }
    Put(delta->text);
  }

  // The rest, whatever the end was.
  void Finish() {
    if (begun_) Put("\n");
    if (generation_.answer.end) Put(AnswerText(generation_.answer) + UsageText(generation_.answer.usage));
  }

 private:
  static void Put(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  const Generation& generation_;
  bool begun_ = false;
};

Status GenerateFor(const GenerateCommand& command, Generation* generation) {
  // The files first: a wrong name should not cost anybody a call.
  const Result<GenerateRequest> request = RequestFor(command);
  if (!request.ok()) return request.status();
  const Result<std::unique_ptr<Client>> client = Client::Connect(command.server, {});
  if (!client.ok()) return client.status();
  Printer printer(*generation);
  GenerateOptions options;
  options.wait_for_place = command.wait_for_place;
  options.timeout = command.timeout;
  if (!command.json) options.listener = [&printer](const Event& event) { printer.Print(event); };
  const Status status = client.value()->Generate(*request, options, generation);
  if (!command.json) printer.Finish();
  return WithRetryHint(status, generation->retry_after);
}

}  // namespace

int RunGenerate(const GenerateCommand& command) {
  Generation generation;
  Status status = GenerateFor(command, &generation);
  const std::span answers(&generation.answer, 1);
  if (status.ok() && !command.out_audio.empty()) status = WriteSpeech(command.out_audio, answers);
  if (status.ok() && !command.out_image.empty()) status = WriteImages(command.out_image, answers);
  if (command.json) {
    nlohmann::json output = TurnJson(generation.answer);
    output["server"] = command.server;
    output["session"] = generation.id;
    output["model"] = generation.model;
    output["model_version"] = generation.model_version;
    output["error"] = ErrorJson(status);
    PrintJson(output);
  }
  if (!status.ok()) std::fputs(("antiphon: " + status.ToString() + "\n").c_str(), stderr);
  return status.ok() ? 0 : 1;
}

}  // namespace antiphon::client
