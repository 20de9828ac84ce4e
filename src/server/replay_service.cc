#include "server/replay_service.h"

#include <cstddef>
#include <exception>
#include <iterator>

#include "common/logging.h"
#include "server/admit_call.h"

namespace antiphon {
namespace {

// Calls that have ended and whose clients have yet to take the outcome: each has a thread still.
constexpr std::ptrdiff_t kMostLingering = 16;

}  // namespace

ReplayService::ReplayService(Engine& engine, const ServerOptions& options)
    : engine_(engine), options_(options) {}

ReplayService::~ReplayService() {
  std::list<Entry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  for (Entry& entry : entries) entry.thread.join();
}

grpc::ServerReadReactor<v1::ReplayRequest>* ReplayService::Replay(grpc::CallbackServerContext* context,
                                                                  v1::ReplayResponse* response) {
  using Refused = RefusedCall<grpc::ServerReadReactor<v1::ReplayRequest>>;
  const std::lock_guard lock(mutex_);
  Reap();
  const std::ptrdiff_t lingering = std::ssize(entries_) - under_way_;
  if (under_way_ >= options_.max_sessions || lingering >= kMostLingering) {
    context->AddTrailingMetadata("retry-after-ms", std::to_string(options_.retry_after.count()));
    return new Refused(ResourceExhausted(std::to_string(options_.max_sessions) +
                                         " replays are under way, the most there may be"));
  }
  try {
    Entry& entry = entries_.emplace_back();
    try {
      entry.call = std::make_unique<ReplayCall>(engine_, options_, context, response);
      entry.thread = std::thread([this, &entry] { Run(&entry); });
    } catch (...) {
      entries_.pop_back();
      throw;
    }
    ++under_way_;
    return entry.call.get();
  } catch (const std::exception& error) {
    LogError("a replay could not be begun: {}", error.what());
    return new Refused(Internal("the replay could not be begun"));
  }
}

void ReplayService::Run(Entry* entry) {
  entry->call->Run([this] {
    const std::lock_guard lock(mutex_);
    --under_way_;
  });
  const std::lock_guard lock(mutex_);
  entry->ended = true;
}

void ReplayService::Reap() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (!entry->ended) {
      ++entry;
      continue;
    }
    entry->thread.join();
    entry = entries_.erase(entry);
  }
}

}  // namespace antiphon
