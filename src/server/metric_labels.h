// The values that labels of metrics may have: few, and known.
#pragma once

#include <string>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "conversation/server_event.h"
#include "server/session_kind.h"

namespace antiphon {

constexpr SessionKind kSessionKinds[] = {SessionKind::kConversation, SessionKind::kGeneration};

const char* LabelOf(SessionKind kind);
const char* LabelOf(TurnEndCause cause);
const char* LabelOf(ResponseEnd end);
const char* LabelOf(server_event::InterruptedBy by);
inline std::string LabelOf(StatusCode code) { return std::string(StatusCodeName(code)); }

}  // namespace antiphon
