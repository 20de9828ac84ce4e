#include "bench/capacity.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "antiphon/ask.h"
#include "antiphon/generate.h"
#include "bench/turns.h"

namespace antiphon::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPacket{20};
constexpr int kRate = 16000;

// What the users share.
struct Crowd {
  const CapacityOptions& options;
  const std::vector<client::Question>& questions;
  std::mutex mutex;  // guards what follows
  CapacityLoad load;
  bool measuring = false;
};

// One user, on one thread.
class Caller {
 public:
  Caller(Crowd& crowd, int number) : crowd_(crowd), options_(crowd.options), number_(number) {}

  // Returns when the server has said yes or no.
  Status Call() {
    if (client_ == nullptr) {
      auto client = client::Client::Connect(options_.server, {});
      if (!client.ok()) return client.status();
      client_ = std::move(*client);
    }
    client::ConversationOptions conversation;
    conversation.input_audio = conversation.output_audio = {client::AudioEncoding::kPcm16, kRate};
    conversation.settings.speak = true;
    auto opened = client_->Open(conversation);
    if (!opened.ok()) return opened.status();
    conversation_ = std::move(*opened);
    return OkStatus();
  }

  void Talk(const std::stop_token& stop) {
    for (auto question = static_cast<size_t>(number_); !stop.stop_requested(); ++question) {
      const TimePoint begin = steady_clock::now();
      if (Status status = TakeTurn(crowd_.questions[question % crowd_.questions.size()], begin, stop);
          !status.ok()) {
        if (stop.stop_requested()) return;
        {
          const std::lock_guard lock(crowd_.mutex);
          crowd_.load.failures.push_back(std::move(status));
        }
        conversation_.reset();
        if (!Call().ok()) return;
      }
    }
  }

 private:
  Status TakeTurn(const client::Question& question, TimePoint begin, const std::stop_token& stop) {
    bool counts = false;
    {
      const std::lock_guard lock(crowd_.mutex);
      counts = crowd_.measuring;
    }
    client::Answer answer;
    if (Status status = client::Ask(*conversation_, question, {.timeout = options_.timeout}, &answer);
        !status.ok()) {
      return status;
    }
    if (counts) Count(answer);
    return BeSilent(std::max(begin + options_.turn_every, answer.playback_end), stop);
  }

  void Count(const client::Answer& answer) {
    const client::ClientLatency& latency = answer.latency;
    const std::lock_guard lock(crowd_.mutex);
    CapacityLoad& load = crowd_.load;
    ++load.turns;
    load.cut_ins += answer.cut_in ? 1 : 0;
    load.underruns += latency.underruns;
    if (latency.first_audible_ms) load.turn_ms.Add(*latency.first_audible_ms);
    if (latency.turn_ended_ms) load.endpoint_ms.Add(*latency.turn_ended_ms);
    if (latency.mouth_to_ear_ms) load.margin_ms.Add(latency.least_margin_ms);
  }

  Status BeSilent(TimePoint until, const std::stop_token& stop) {
    const std::vector<float> silence(static_cast<size_t>(kRate * kPacket.count() / 1000));
    TimePoint next = steady_clock::now();
    while (next < until && !stop.stop_requested()) {
      next += kPacket;
      if (Status status = conversation_->AppendAudio(silence); !status.ok()) return status;
      while (true) {
        const auto left = next - steady_clock::now();
        if (left <= steady_clock::duration::zero()) break;
        const Result<client::Event> event = conversation_->NextEvent(left);
        if (!event.ok()) {
          if (event.status().code() == StatusCode::kDeadlineExceeded) break;
          return event.status();
        }
        if (const auto* closed = std::get_if<client::Closed>(&event->body)) {
          return closed->status.ok() ? Unavailable("the server ended the conversation") : closed->status;
        }
      }
    }
    return OkStatus();
  }

  Crowd& crowd_;
  const CapacityOptions& options_;
  const int number_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<client::Conversation> conversation_;
};

// A long prompt: a dozen questions. Empty if none has a text.
std::string BulkPrompt(const std::vector<Question>& questions) {
  std::string prompt;
  for (const Question& question : questions) {
    if (question.text.empty() || prompt.size() + question.text.size() > 800) continue;
    prompt += (prompt.empty() ? "" : " ") + question.text;
  }
  return prompt;
}

// Types the prompt until it is told to stop.
void TypeInBulk(Crowd& crowd, const std::string& prompt, client::Client& client,
                const std::stop_token& stop) {
  client::GenerateRequest request;
  request.parts.emplace_back(client::TextPart{prompt});
  while (!stop.stop_requested()) {
    client::Generation generation;
    const Status status =
        client.Generate(request, {.timeout = crowd.options.timeout, .stop = stop}, &generation);
    if (status.ok()) {
      const std::lock_guard lock(crowd.mutex);
      crowd.load.bulk_answers += crowd.measuring ? 1 : 0;
    } else if (!stop.stop_requested()) {
      std::this_thread::sleep_for(milliseconds(500));
    }
  }
}

}  // namespace

Result<CapacityLoad> RunCapacity(const std::vector<Question>& questions, const CapacityOptions& options,
                                 CapacityListener* listener) {
  // Read once: while all are talking the machine has better things to do.
  std::vector<client::Question> loaded;
  for (const Question& question : questions) {
    if (question.wav.empty()) continue;
    Result<client::Question> spoken = LoadQuestion(question, /*typed=*/false);
    if (!spoken.ok()) return spoken.status();
    loaded.push_back(std::move(*spoken));
  }
  if (loaded.empty()) return InvalidArgument("no question has a recording");

  const std::string prompt = BulkPrompt(questions);
  if (options.bulk > 0 && prompt.empty()) return InvalidArgument("no question has a text for the bulk load");
  auto client = client::Client::Connect(options.server, {});
  if (!client.ok()) return client.status();

  Crowd crowd{options, loaded, {}, {}, false};
  std::vector<std::jthread> threads;  // joined before the crowd goes
  for (int i = 0; i < options.bulk; ++i) {
    threads.emplace_back([&](const std::stop_token& stop) { TypeInBulk(crowd, prompt, **client, stop); });
  }
  for (int i = 0; i < options.sessions; ++i) {
    auto caller = std::make_shared<Caller>(crowd, i);
    if (Status status = caller->Call(); !status.ok()) {
      const std::lock_guard lock(crowd.mutex);
      crowd.load.refusals.push_back(std::move(status));
      if (options.until_refused) break;
      continue;
    }
    {
      const std::lock_guard lock(crowd.mutex);
      ++crowd.load.admitted;
    }
    threads.emplace_back([caller](const std::stop_token& stop) { caller->Talk(stop); });
    std::this_thread::sleep_for(options.call_every);
  }
  Status nobody;
  if (crowd.load.admitted == 0) {  // no other thread writes what is read here
    nobody =
        crowd.load.refusals.empty() ? InvalidArgument("no session was asked for") : crowd.load.refusals[0];
  } else {
    const auto measuring = [&](bool on) {
      const std::lock_guard lock(crowd.mutex);
      crowd.measuring = on;
    };
    std::this_thread::sleep_for(options.turn_every);
    measuring(true);
    listener->OnBegin();
    std::this_thread::sleep_for(options.measured);
    listener->OnEnd();
    measuring(false);
  }
  for (std::jthread& thread : threads) thread.request_stop();
  threads.clear();
  if (!nobody.ok()) return nobody;
  return std::move(crowd.load);
}

}  // namespace antiphon::bench
