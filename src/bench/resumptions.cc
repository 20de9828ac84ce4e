#include "bench/resumptions.h"

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <variant>

#include "bench/connection_proxy.h"

namespace antiphon::bench {
namespace {

constexpr size_t kPacketSamples = 480;  // 20 ms

// One conversation from its opening to its end.
class Caller {
 public:
  Caller(client::Conversation& conversation, const ConnectionProxy& proxy, const ResumptionsOptions& options,
         Transcription* told)
      : conversation_(conversation),
        proxy_(proxy),
        options_(options),
        told_(*told),
        cuts_before_(proxy.cuts()) {}

  Status Converse() {
    for (const std::string& request : options_.requests) {
      if (Status status = conversation_.AppendText(request); !status.ok()) return status;
      if (Status status = conversation_.Commit(); !status.ok()) return status;
      if (Status status = Listen(); !status.ok()) return status;
    }
    if (!options_.speech.empty()) {
      const std::span<const float> speech(options_.speech);
      for (size_t begin = 0; begin < speech.size(); begin += kPacketSamples) {
        const size_t count = std::min(kPacketSamples, speech.size() - begin);
        if (Status status = conversation_.AppendAudio(speech.subspan(begin, count)); !status.ok())
          return status;
      }
      if (Status status = conversation_.Commit(); !status.ok()) return status;
      if (Status status = Listen(); !status.ok()) return status;
    }
    if (Status status = conversation_.FinishInput(); !status.ok()) return status;
    while (!closed_) {
      if (Status status = Next(); !status.ok()) return status;
    }
    return closed_->status;
  }

  std::optional<double> outage_ms() const { return outage_ms_; }

 private:
  // To the end of the response.
  Status Listen() {
    const int responses = responses_;
    while (responses_ == responses && !closed_) {
      if (Status status = Next(); !status.ok()) return status;
    }
    if (!closed_) return OkStatus();
    return Unavailable("the conversation ended: " + closed_->status.ToString());
  }

  Status Next() {
    const Result<client::Event> event = conversation_.NextEvent(options_.timeout);
    if (!event.ok()) return event.status();
    const std::optional<TimePoint> cut = proxy_.last_cut();
    if (!outage_ms_ && proxy_.cuts() > cuts_before_ && cut && event->received > *cut) {
      outage_ms_ = std::chrono::duration<double, std::milli>(event->received - *cut).count();
    }
    return Note(*event);
  }

  Status Note(const client::Event& event) {
    if (Status status = AddTo(event, &told_); !status.ok()) return status;
    if (std::holds_alternative<client::ResponseDone>(event.body)) ++responses_;
    if (const auto* closed = std::get_if<client::Closed>(&event.body)) closed_ = *closed;
    return OkStatus();
  }

  client::Conversation& conversation_;
  const ConnectionProxy& proxy_;
  const ResumptionsOptions& options_;
  Transcription& told_;
  const int cuts_before_;
  std::optional<client::Closed> closed_;
  std::optional<double> outage_ms_;
  int responses_ = 0;
};

// `cut_at`: bytes after the opening; 0: no cut.
Status Run(client::Client& client, ConnectionProxy& proxy, const ResumptionsOptions& options, uint64_t cut_at,
           Transcription* told, std::optional<double>* outage_ms) {
  client::ConversationOptions settings = RepeatableConversation();
  settings.resume.emplace();
  proxy.KeepWhole();
  auto conversation = client.Open(settings);
  if (!conversation.ok()) return conversation.status();
  if (cut_at > 0) proxy.CutAfter(cut_at);
  Caller caller(**conversation, proxy, options, told);
  Status status = caller.Converse();
  *outage_ms = caller.outage_ms();
  return status;
}

}  // namespace

Result<Resumptions> RunResumptions(const ResumptionsOptions& options, const ResumptionListener& listener) {
  auto proxy = ConnectionProxy::Start(options.server);
  if (!proxy.ok()) return proxy.status();
  auto client = client::Client::Connect((*proxy)->address(), {});
  if (!client.ok()) return client.status();
  Resumptions results;
  std::optional<double> none;
  const uint64_t before = (*proxy)->bytes_passed();
  Status status = Run(**client, **proxy, options, 0, &results.undisturbed, &none);
  if (!status.ok()) return status;
  results.undisturbed_bytes = (*proxy)->bytes_passed() - before;
  // The last bytes say that it is over, and differ a little: a cut behind them would be none.
  const uint64_t last = std::max<uint64_t>(1, results.undisturbed_bytes * 9 / 10);
  std::mt19937 random(options.seed);
  std::uniform_int_distribution<uint64_t> moments(1, last);
  for (int i = 0; i < options.cuts; ++i) {
    Resumption one;
    one.cut_at_byte = moments(random);
    Transcription told;
    const int cuts = (*proxy)->cuts();
    one.status = Run(**client, **proxy, options, one.cut_at_byte, &told, &one.outage_ms);
    one.cuts = (*proxy)->cuts() - cuts;
    one.same_text = told.SameText(results.undisturbed);
    one.same_audio = told.audio == results.undisturbed.audio;
    results.all.push_back(std::move(one));
    if (listener) listener(results.all.back(), i + 1);
  }
  return results;
}

}  // namespace antiphon::bench
