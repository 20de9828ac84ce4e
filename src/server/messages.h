// The conversation's plain values as messages of the wire contract, and back.
#pragma once

#include <optional>

#include "antiphon/types.h"
#include "antiphon/v1/conversation.pb.h"
#include "antiphon/v1/generation.pb.h"
#include "antiphon/v1/model.pb.h"
#include "conversation/client_event.h"
#include "conversation/generation.h"
#include "conversation/server_event.h"

namespace antiphon {

// Takes the strings over. Checks nothing: the conversation does.
ClientEvent FromMessage(v1::ClientEvent message, TimePoint received);

// Likewise.
GenerationRequest FromMessage(v1::GenerateRequest message);

// Without its sequence number.
v1::ServerEvent ToMessage(ServerEvent event);

// Of events that are part of a response; nullopt for others.
std::optional<v1::GenerateResponse> ToResponse(ServerEvent event);

v1::ModelInfo ToMessage(const ModelDescription& model);

}  // namespace antiphon
