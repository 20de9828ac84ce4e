#include "engine/sequence_request.h"

#include <algorithm>
#include <utility>

namespace antiphon {
namespace {

using Requests = std::deque<SequenceRequest>;

// Options matter to the turn that an input begins and to the response that a turn end asks for.
bool UsesOptions(const SequenceRequest& request) {
  return IsInput(request) || std::holds_alternative<TurnEndRequest>(request);
}

// The signal of this kind since the last request that `separates`; end() when there is none.
Requests::iterator SaidSince(bool (*separates)(const SequenceRequest&), size_t kind, Requests* requests) {
  const auto last = std::find_if(requests->rbegin(), requests->rend(), separates);
  return std::find_if(last.base(), requests->end(),
                      [kind](const SequenceRequest& request) { return request.index() == kind; });
}

}  // namespace

void AppendOrMerge(SequenceRequest request, Requests* requests) {
  if (std::holds_alternative<ConfigureRequest>(request) || std::holds_alternative<DeclareRequest>(request) ||
      std::holds_alternative<InstructRequest>(request)) {
    const auto before = SaidSince(UsesOptions, request.index(), requests);
    if (before != requests->end()) requests->erase(before);
  } else if (!IsInput(request) && !std::holds_alternative<VideoFrame>(request)) {
    if (const auto before = SaidSince(IsInput, request.index(), requests); before != requests->end()) {
      if (std::holds_alternative<TurnEndRequest>(request)) return;
      if (auto* clear = std::get_if<ClearRequest>(&request))
        clear->calls += std::get<ClearRequest>(*before).calls;
      requests->erase(before);
    }
  }
  requests->push_back(std::move(request));
}

}  // namespace antiphon
