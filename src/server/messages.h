// The conversation's plain values as messages of the wire contract, and back.
#pragma once

#include "antiphon/types.h"
#include "antiphon/v1/conversation.pb.h"
#include "antiphon/v1/model.pb.h"
#include "conversation/client_event.h"
#include "conversation/server_event.h"

namespace antiphon {

// Takes the strings over. Checks nothing: the conversation does.
ClientEvent FromMessage(v1::ClientEvent message, TimePoint received);

// Without its sequence number.
v1::ServerEvent ToMessage(ServerEvent event);

v1::ModelInfo ToMessage(const ModelDescription& model);

}  // namespace antiphon
