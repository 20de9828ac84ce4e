#include "bench/turns.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "media/wav.h"

namespace antiphon::bench {
namespace {

using std::chrono::milliseconds;

// What the users share.
struct Poll {
  const std::vector<Question>& questions;
  const TurnsOptions& options;
  const TurnListener& listener;
  std::atomic<int> next = 0;  // turn to take
  std::mutex mutex;           // guards what follows
  std::vector<Turn> turns;
};

// One user, on one thread.
class User {
 public:
  User(Poll& poll, int number) : poll_(poll), options_(poll.options), number_(number) {}

  void Run() {
    // Not all at once: people do not speak in chorus, and a chorus would measure another thing.
    if (options_.real_time) std::this_thread::sleep_for(milliseconds(number_ * 2000 / options_.sessions));
    while (true) {
      const int index = poll_.next.fetch_add(1);
      if (index >= options_.turns) return;
      Turn turn;
      turn.question = static_cast<size_t>(index) % poll_.questions.size();
      turn.status = Take(poll_.questions[turn.question], &turn);
      if (!turn.status.ok() || ++turns_in_session_ >= options_.turns_per_session) conversation_.reset();
      turn.answer.audio = {};
      const std::lock_guard lock(poll_.mutex);
      poll_.turns.push_back(std::move(turn));
      if (poll_.listener) poll_.listener(poll_.turns.back(), static_cast<int>(poll_.turns.size()));
    }
  }

 private:
  Status Take(const Question& question, Turn* turn) {
    if (!question.before.empty()) conversation_.reset();  // a story starts on a fresh page
    if (Status status = Open(&turn->refusals); !status.ok()) return status;
    for (const Question& before : question.before) {
      client::Answer answer;
      if (Status status = AskOne(before, &answer); !status.ok()) return status;
    }
    if (Status status = AskOne(question, &turn->answer); !status.ok()) return status;
    turn->audio_seconds = static_cast<double>(turn->answer.audio.size()) / turn->answer.sample_rate;
    if (!question.answers.empty()) turn->right = IsRight(turn->answer.text, question.answers);
    if (!options_.typed && !question.wav.empty() && !question.text.empty()) {
      turn->heard = CountWordErrors(question.text, turn->answer.transcript);
    }
    return OkStatus();
  }

  Status AskOne(const Question& question, client::Answer* answer) {
    const Result<client::Question> loaded = LoadQuestion(question, options_.typed);
    if (!loaded.ok()) return loaded.status();
    Status status = client::Ask(*conversation_, *loaded,
                                {.real_time = options_.real_time, .timeout = options_.timeout}, answer);
    if (status.ok() && options_.real_time) std::this_thread::sleep_until(answer->playback_end);
    return status;
  }

  // A user who is told to try again later does.
  Status Open(int* refusals) {
    if (conversation_ != nullptr) return OkStatus();
    turns_in_session_ = 0;
    if (client_ == nullptr) {
      auto client = client::Client::Connect(options_.server, {});
      if (!client.ok()) return client.status();
      client_ = std::move(*client);
    }
    client::ConversationOptions conversation;
    conversation.input_audio = conversation.output_audio = options_.audio;
    conversation.settings.speak = options_.speak;
    if (options_.draw) conversation.settings.draw = true;
    if (!options_.real_time) conversation.settings.max_lead_ms = client::kLongestLeadMs;
    const auto give_up = std::chrono::steady_clock::now() + options_.timeout;
    while (true) {
      milliseconds retry_after{200};
      auto opened = client_->Open(conversation, &retry_after);
      if (opened.ok()) {
        conversation_ = std::move(*opened);
        return OkStatus();
      }
      const bool full = opened.status().code() == StatusCode::kResourceExhausted;
      if (full) ++*refusals;
      if (!full || std::chrono::steady_clock::now() + retry_after > give_up) return opened.status();
      std::this_thread::sleep_for(retry_after);
    }
  }

  Poll& poll_;
  const TurnsOptions& options_;
  const int number_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<client::Conversation> conversation_;
  int turns_in_session_ = 0;
};

}  // namespace

Result<client::Question> LoadQuestion(const Question& question, bool typed) {
  if (typed || question.wav.empty()) return client::Question(client::TypedQuestion{question.text});
  Result<Audio> audio = ReadWav(question.wav);
  if (!audio.ok()) return audio.status();
  std::optional<size_t> speech_end;
  if (question.speech_end) {
    const double end = *question.speech_end * audio->sample_rate;
    speech_end = static_cast<size_t>(std::min(end, static_cast<double>(audio->samples.size())));
  }
  return client::Question(client::SpokenQuestion{std::move(audio->samples), audio->sample_rate, speech_end});
}

Result<std::vector<Turn>> RunTurns(const std::vector<Question>& questions, const TurnsOptions& options,
                                   const TurnListener& listener) {
  if (options.typed) {
    for (const Question& question : questions) {
      if (question.text.empty()) return InvalidArgument("no text is known for " + question.wav);
    }
  }
  Poll poll{questions, options, listener, {}, {}, {}};
  std::vector<std::thread> threads;
  for (int i = 0; i < options.sessions; ++i) threads.emplace_back([&poll, i] { User(poll, i).Run(); });
  for (std::thread& thread : threads) thread.join();
  return std::move(poll.turns);
}

}  // namespace antiphon::bench
