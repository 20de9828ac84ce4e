// What sessions are for.
#pragma once

namespace antiphon {

enum class SessionKind {
  kConversation,
  kGeneration,  // of one turn, all of which has been said; nobody waits for its sound
};

}  // namespace antiphon
