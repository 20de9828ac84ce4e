#include "server/metric_labels.h"

namespace antiphon {

const char* LabelOf(SessionKind kind) {
  switch (kind) {
    case SessionKind::kConversation:
      return "conversation";
    case SessionKind::kGeneration:
      return "generation";
  }
  return "unknown";
}

const char* LabelOf(TurnEndCause cause) {
  switch (cause) {
    case TurnEndCause::kModel:
      return "model";
    case TurnEndCause::kCommit:
      return "commit";
    case TurnEndCause::kSilence:
      return "silence";
    case TurnEndCause::kLength:
      return "length";
  }
  return "unknown";
}

const char* LabelOf(ResponseEnd end) {
  switch (end) {
    case ResponseEnd::kCompleted:
      return "completed";
    case ResponseEnd::kCancelled:
      return "cancelled";
    case ResponseEnd::kIncomplete:
      return "incomplete";
    case ResponseEnd::kFailed:
      return "failed";
  }
  return "unknown";
}

const char* LabelOf(server_event::InterruptedBy by) {
  using enum server_event::InterruptedBy;
  switch (by) {
    case kCautious:
      return "cautious";
    case kEager:
      return "eager";
    case kCommit:
      return "commit";
    case kCancel:
      return "cancel";
    case kCancelAt:
      return "cancel_at";
    case kFault:
      return "fault";
  }
  return "unknown";
}

}  // namespace antiphon
