// A running antiphond with the model that ships, and a client that is connected to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/end_to_end/daemon.h"

namespace antiphon {

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto address = daemon_.WaitUntilListening();
    ASSERT_TRUE(address) << daemon_.StandardError();
    auto client = client::Client::Connect(*address, {});
    ASSERT_TRUE(client.ok()) << client.status().ToString();
    client_ = std::move(*client);
  }

  std::unique_ptr<client::Conversation> Open(const client::ConversationOptions& options = {}) {
    auto conversation = client_->Open(options);
    EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
    return conversation.ok() ? std::move(*conversation) : nullptr;
  }

  client::Answer Ask(client::Conversation& conversation, const client::Question& question) {
    client::Answer answer;
    const Status status = client::Ask(conversation, question, {}, &answer);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return answer;
  }

  Daemon daemon_{{"--model", "models/wren", "--listen", "127.0.0.1:0"}};
  std::unique_ptr<client::Client> client_;
};

}  // namespace antiphon
