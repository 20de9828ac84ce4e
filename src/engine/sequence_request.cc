#include "engine/sequence_request.h"

#include <utility>

namespace antiphon {

void Append(SequenceRequest request, std::deque<SequenceRequest>* requests) {
  if (std::holds_alternative<ConfigureRequest>(request)) {
    // Only directly after one another do the newer options make the older ones meaningless.
    if (!requests->empty() && std::holds_alternative<ConfigureRequest>(requests->back())) {
      requests->back() = std::move(request);
      return;
    }
  } else if (!IsInput(request)) {
    for (auto it = requests->rbegin(); it != requests->rend() && !IsInput(*it); ++it) {
      if (it->index() == request.index()) return;
    }
  }
  requests->push_back(std::move(request));
}

}  // namespace antiphon
