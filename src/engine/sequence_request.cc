#include "engine/sequence_request.h"

#include <algorithm>
#include <utility>

namespace antiphon {
namespace {

using Requests = std::deque<SequenceRequest>;

// The signal of this kind since the last input; end() when there is none.
Requests::iterator SaidBefore(size_t kind, Requests* requests) {
  const auto last_input = std::find_if(requests->rbegin(), requests->rend(), IsInput);
  return std::find_if(last_input.base(), requests->end(),
                      [kind](const SequenceRequest& request) { return request.index() == kind; });
}

}  // namespace

void AppendOrMerge(SequenceRequest request, Requests* requests) {
  if (std::holds_alternative<ConfigureRequest>(request)) {
    // Only directly after one another do the newer options make the older ones meaningless.
    if (!requests->empty() && std::holds_alternative<ConfigureRequest>(requests->back()))
      requests->pop_back();
  } else if (!IsInput(request)) {
    if (const auto before = SaidBefore(request.index(), requests); before != requests->end()) {
      if (std::holds_alternative<TurnEndRequest>(request)) return;
      if (auto* clear = std::get_if<ClearRequest>(&request))
        clear->calls += std::get<ClearRequest>(*before).calls;
      requests->erase(before);
    }
  }
  requests->push_back(std::move(request));
}

}  // namespace antiphon
