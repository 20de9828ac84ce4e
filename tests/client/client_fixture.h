// Clients of scripted servers.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include "antiphon/client.h"
#include "tests/client/scripted_server.h"

namespace antiphon::client {

inline std::unique_ptr<Client> ConnectTo(const testing::ScriptedServer& server) {
  auto client = Client::Connect(server.target(), {});
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return std::move(*client);
}

inline std::unique_ptr<Conversation> OpenOn(const testing::ScriptedServer& server,
                                            const ConversationOptions& options = {}) {
  auto conversation = ConnectTo(server)->Open(options);
  EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
  return std::move(*conversation);
}

// The next event if it is a T.
template <typename T>
T Next(Conversation& conversation) {
  Result<Event> event = conversation.NextEvent(std::chrono::seconds(5));
  if (!event.ok()) {
    ADD_FAILURE() << event.status().ToString();
    return {};
  }
  if (!std::holds_alternative<T>(event->body)) {
    ADD_FAILURE() << "event of kind " << event->body.index();
    return {};
  }
  return std::get<T>(event->body);
}

// A script that creates the session, does `then`, and waits for the client to half-close.
inline testing::Script AfterCreation(std::function<void(testing::Call&)> then) {
  return [then = std::move(then)](testing::Call& call) {
    call.CreateSession();
    then(call);
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  };
}

}  // namespace antiphon::client
