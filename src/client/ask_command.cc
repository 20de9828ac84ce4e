#include "client/ask_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "client/answer_files.h"
#include "client/image_file.h"
#include "client/report.h"
#include "client/session_file.h"
#include "client/video_stream.h"
#include "media/wav.h"

namespace antiphon::client {
namespace {

// What the command has done so far: printed at the end, whatever the end is.
struct Progress {
  Session session;
  std::vector<Answer> answers;
};

ConversationOptions OptionsFor(const AskCommand& command) {
  ConversationOptions options;
  options.resume.emplace();
  options.wait_for_place = command.wait_for_place;
  options.input_audio = options.output_audio = FormatFor(command.format);
  if (command.write) options.settings.speak = false;
  if (!command.out_image.empty()) options.settings.draw = true;
  options.settings.instructions = command.instructions;
  options.settings.voice = command.voice;
  options.settings.speed = command.speed;
  options.settings.turn_detection = command.turn_detection;
  if (!command.functions.empty()) {
    std::vector<Function>& functions = options.settings.functions.emplace();
    for (const AnsweredFunction& answered : command.functions) functions.push_back(answered.function);
  }
  options.settings.interruption = command.interruption;
  options.settings.playback_delay_ms = command.playback_delay_ms;
  options.settings.max_lead_ms = command.max_lead_ms;
  options.settings.enhancement = command.enhancement;
  // Nobody hears it.
  if (command.fast && !command.max_lead_ms) options.settings.max_lead_ms = kLongestLeadMs;
  if (command.seed || command.temperature) {
    SamplingOptions sampling;
    sampling.seed = command.seed.value_or(0);
    sampling.temperature = command.temperature.value_or(0.0f);
    options.settings.sampling = sampling;
  }
  return options;
}

Result<std::vector<Question>> ReadQuestions(const std::vector<Item>& items) {
  std::vector<Question> questions;
  std::vector<ImageFile> images;  // of the next question
  for (const Item& item : items) {
    if (item.kind == Item::Kind::kImage) {
      Result<ImageFile> image = ReadImageFile(item.value);
      if (!image.ok()) return image.status();
      images.push_back(std::move(*image));
    } else if (item.kind == Item::Kind::kAudio) {
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

Result<std::vector<ImageFile>> ReadFrames(const std::vector<std::string>& paths) {
  std::vector<ImageFile> frames;
  for (const std::string& path : paths) {
    Result<ImageFile> frame = ReadImageFile(path, kMaxVideoPixels);
    if (!frame.ok()) return frame.status();
    frames.push_back(std::move(*frame));
  }
  return frames;
}

Status Converse(const AskCommand& command, Progress* progress) {
  // The files first: a wrong name should not cost anybody a session.
  Result<std::vector<Question>> questions = ReadQuestions(command.items);
  if (!questions.ok()) return questions.status();
  Result<std::vector<ImageFile>> frames = ReadFrames(command.video);
  if (!frames.ok()) return frames.status();
  std::string snapshot;
  if (!command.from_session.empty()) {
    Result<std::string> read = ReadSessionFile(command.from_session);
    if (!read.ok()) return read.status();
    snapshot = *std::move(read);
  }
  Result<std::unique_ptr<Client>> client = Client::Connect(command.server, {});
  if (!client.ok()) return client.status();
  std::chrono::milliseconds retry_after{0};
  Result<std::unique_ptr<Conversation>> conversation = (*client)->Open(OptionsFor(command), &retry_after);
  if (!conversation.ok()) {
    if (retry_after.count() == 0) return conversation.status();
    return WithRetryHint(conversation.status(), retry_after);
  }
  progress->session = (*conversation)->session();
  if (!snapshot.empty()) {
    if (Status status = ImportSession(**conversation, std::move(snapshot), command.timeout); !status.ok()) {
      return status;
    }
    // Its settings came along; what was asked for here holds all the same.
    const SessionSettings wanted = OptionsFor(command).settings;
    if (Status status = (*conversation)->Update(wanted); !status.ok()) return status;
  }
  AskOptions options;
  options.real_time = !command.fast;
  options.timeout = command.timeout;
  options.playback_delay = std::chrono::milliseconds(command.playback_delay_ms.value_or(0));
  options.commit = command.turn_detection && command.turn_detection->mode == TurnDetectionMode::kNone;
  if (!command.functions.empty()) {
    options.call_function = [&command](const FunctionCallDone& call) -> std::optional<std::string> {
      for (const auto& [function, output] : command.functions) {
        if (function.name == call.name) return output;
      }
      return R"({"error":"there is no such function"})";
    };
  }
  VideoStream video(**conversation, *std::move(frames), command.video_fps);
  for (const Question& question : *questions) {
    // Words take no time to type: without this they would come before what they are about.
    if (std::holds_alternative<TypedQuestion>(question)) video.AwaitEnd();
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
  if (command.out_session.empty()) return OkStatus();
  const Result<std::string> exported = ExportSession(**conversation, command.timeout);
  if (!exported.ok()) return exported.status();
  return WriteFile(command.out_session, *exported);
}

void PrintTurns(const AskCommand& command, const Progress& progress, const Status& status) {
  nlohmann::json turns = nlohmann::json::array();
  for (const Answer& answer : progress.answers) turns.push_back(TurnJson(answer));
  nlohmann::json output = turns.empty() ? TurnJson(Answer{}) : turns.back();
  output["server"] = command.server;
  output["session"] = progress.session.id;
  output["model"] = progress.session.model;
  output["model_version"] = progress.session.model_version;
  output["turns"] = std::move(turns);
  output["error"] = ErrorJson(status);
  PrintJson(output);
}

}  // namespace

int RunAsk(const AskCommand& command) {
  Progress progress;
  Status status = Converse(command, &progress);
  if (status.ok() && !command.out_audio.empty()) status = WriteSpeech(command.out_audio, progress.answers);
  if (status.ok() && !command.out_image.empty()) status = WriteImages(command.out_image, progress.answers);
  if (command.json) PrintTurns(command, progress, status);
  if (!status.ok()) std::fputs(("antiphon: " + status.ToString() + "\n").c_str(), stderr);
  return status.ok() ? 0 : 1;
}

}  // namespace antiphon::client
