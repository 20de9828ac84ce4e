#include "client/ask_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "client/image_file.h"
#include "client/report.h"
#include "media/wav.h"

namespace antiphon::client {
namespace {

constexpr double kPauseSeconds = 0.5;  // between the answers in --out-audio

// What the command has done so far: printed at the end, whatever the end is.
struct Progress {
  Session session;
  std::vector<Answer> answers;
};

ConversationOptions OptionsFor(const AskCommand& command) {
  ConversationOptions options;
  const AudioEncoding encoding = command.opus ? AudioEncoding::kOpus : AudioEncoding::kPcm16;
  const int rate = command.sample_rate != 0 ? command.sample_rate : (command.opus ? 24000 : 16000);
  options.input_audio = options.output_audio = {encoding, rate};
  if (command.write) options.settings.speak = false;
  if (!command.out_image.empty()) options.settings.draw = true;
  if (command.seed || command.temperature) {
    SamplingOptions sampling;
    sampling.seed = command.seed.value_or(0);
    sampling.temperature = command.temperature.value_or(0.0f);
    options.settings.sampling = sampling;
  }
  return options;
}

Result<std::vector<Question>> ReadQuestions(const std::vector<AskCommand::Item>& items) {
  std::vector<Question> questions;
  std::vector<ImageFile> images;  // of the next question
  for (const AskCommand::Item& item : items) {
    if (item.kind == AskCommand::Kind::kImage) {
      Result<ImageFile> image = ReadImageFile(item.value);
      if (!image.ok()) return image.status();
      images.push_back(std::move(*image));
    } else if (item.kind == AskCommand::Kind::kAudio) {
      Result<Audio> audio = ReadWav(item.value);
      if (!audio.ok()) return audio.status();
      questions.emplace_back(SpokenQuestion{std::move(audio->samples), audio->sample_rate, std::nullopt,
                                            std::exchange(images, {})});
    } else {
      questions.emplace_back(TypedQuestion{item.value, std::exchange(images, {})});
    }
  }
  if (!images.empty()) questions.emplace_back(TypedQuestion{"", std::move(images)});
  return questions;
}

Status Converse(const AskCommand& command, Progress* progress) {
  // The files first: a wrong name should not cost anybody a session.
  Result<std::vector<Question>> questions = ReadQuestions(command.items);
  if (!questions.ok()) return questions.status();
  Result<std::unique_ptr<Client>> client = Client::Connect(command.server, {});
  if (!client.ok()) return client.status();
  std::chrono::milliseconds retry_after{0};
  Result<std::unique_ptr<Conversation>> conversation = (*client)->Open(OptionsFor(command), &retry_after);
  if (!conversation.ok()) {
    const Status& status = conversation.status();
    if (retry_after.count() == 0) return status;
    return {status.code(), fmt::format("{} (try again in {} ms)", status.message(), retry_after.count())};
  }
  progress->session = (*conversation)->session();
  AskOptions options;
  options.real_time = !command.fast;
  options.timeout = command.timeout;
  for (const Question& question : *questions) {
    // A person hears the answer out before asking on.
    if (options.real_time && !progress->answers.empty()) {
      std::this_thread::sleep_until(progress->answers.back().playback_end);
    }
    Answer& answer = progress->answers.emplace_back();
    if (Status status = Ask(**conversation, question, options, &answer); !status.ok()) return status;
    if (!command.json) {
      std::fputs((TurnText(answer, progress->session.model) + "\n").c_str(), stdout);
      std::fflush(stdout);
    }
  }
  return OkStatus();
}

Status WriteAnswers(const std::string& path, const std::vector<Answer>& answers) {
  std::vector<float> samples;
  int sample_rate = 0;
  for (const Answer& answer : answers) {
    if (answer.audio.empty()) continue;
    sample_rate = answer.sample_rate;
    if (!samples.empty()) samples.resize(samples.size() + static_cast<size_t>(kPauseSeconds * sample_rate));
    samples.insert(samples.end(), answer.audio.begin(), answer.audio.end());
  }
  if (samples.empty()) return FailedPrecondition("there is no speech to write to " + path);
  return WriteWav(path, samples, sample_rate);
}

// "FILE.png", then "FILE-2.png" and so on.
std::string ImagePath(const std::string& path, size_t number) {
  if (number == 1) return path;
  std::filesystem::path numbered(path);
  const std::string name = numbered.stem().string() + "-" + std::to_string(number);
  return numbered.replace_filename(name + numbered.extension().string()).string();
}

Status WriteImages(const std::string& path, const std::vector<Answer>& answers) {
  size_t number = 0;
  for (const Answer& answer : answers) {
    for (const AnswerImage& image : answer.images) {
      if (Status status = WriteFile(ImagePath(path, ++number), image.png); !status.ok()) return status;
    }
  }
  return number > 0 ? OkStatus() : FailedPrecondition("there is no picture to write to " + path);
}

void PrintJson(const AskCommand& command, const Progress& progress, const Status& status) {
  nlohmann::json turns = nlohmann::json::array();
  for (const Answer& answer : progress.answers) turns.push_back(TurnJson(answer));
  nlohmann::json output = turns.empty() ? TurnJson(Answer{}) : turns.back();
  output["server"] = command.server;
  output["session"] = progress.session.id;
  output["model"] = progress.session.model;
  output["model_version"] = progress.session.model_version;
  output["turns"] = std::move(turns);
  output["error"] = ErrorJson(status);
  // Replaces what is not UTF-8: the output must be JSON whatever the server sent.
  std::puts(output.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace

int RunAsk(const AskCommand& command) {
  Progress progress;
  Status status = Converse(command, &progress);
  if (status.ok() && !command.out_audio.empty()) status = WriteAnswers(command.out_audio, progress.answers);
  if (status.ok() && !command.out_image.empty()) status = WriteImages(command.out_image, progress.answers);
  if (command.json) PrintJson(command, progress, status);
  if (!status.ok()) std::fputs(("antiphon: " + status.ToString() + "\n").c_str(), stderr);
  return status.ok() ? 0 : 1;
}

}  // namespace antiphon::client
