#include "server/event_log.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/v1/conversation.grpc.pb.h"

namespace antiphon {
namespace {

constexpr EventLogLimits kRoomy{1 << 20, 1000, 1 << 20};

v1::ServerEvent Text(const std::string& text) {
  v1::ServerEvent event;
  event.mutable_text_delta()->set_text(text);
  return event;
}
v1::ServerEvent Audio(const std::string& response_id, size_t bytes = 10) {
  v1::ServerEvent event;
  event.mutable_audio_delta()->set_response_id(response_id);
  event.mutable_audio_delta()->set_audio(std::string(bytes, 'x'));
  return event;
}

std::optional<v1::ServerEvent> Next(EventLog& log) {
  grpc::ByteBuffer bytes;
  if (!log.Next(&bytes)) return std::nullopt;
  v1::ServerEvent event;
  EXPECT_TRUE(grpc::SerializationTraits<v1::ServerEvent>::Deserialize(&bytes, &event).ok());
  return event;
}
// "1:a 2:b", of all that is to be written.
std::string Rest(EventLog& log) {
  std::string rest;
  while (const auto event = Next(log)) {
    if (!rest.empty()) rest += ' ';
    rest += std::to_string(event->sequence_number()) + ':' + event->text_delta().text();
  }
  return rest;
}

TEST(EventLogTest, NumbersWhatIsWritten) {
  EventLog log(kRoomy);
  log.Push(Text("a"));
  log.Push(Text("b"));
  EXPECT_EQ(Rest(log), "1:a 2:b");
  EXPECT_EQ(Rest(log), "");
  log.Push(Text("c"));
  EXPECT_FALSE(log.settled());
  EXPECT_EQ(Rest(log), "3:c");
  EXPECT_TRUE(log.settled()) << "nothing is kept unless it is asked for";
}

TEST(EventLogTest, WhatIsDroppedLeavesNoGap) {
  EventLog log(kRoomy);
  log.Push(Text("a"));
  log.Push(Audio("response-1"));
  log.Push(Text("b"));
  log.DropMedia("response-1");
  EXPECT_EQ(Rest(log), "1:a 2:b");
}

TEST(EventLogTest, WritesAgainWhatWasNotAcknowledged) {
  EventLog log(kRoomy);
  log.Push(Text("a"));
  EXPECT_EQ(Rest(log), "1:a");
  log.KeepUnacknowledged();
  for (const char* text : {"b", "c", "d"}) log.Push(Text(text));
  EXPECT_EQ(Rest(log), "2:b 3:c 4:d");
  log.Push(Text("e"));
  ASSERT_TRUE(log.Rewind(2).ok());
  EXPECT_EQ(Rest(log), "3:c 4:d 5:e");
  ASSERT_TRUE(log.Rewind(5).ok());
  EXPECT_EQ(Rest(log), "");
  EXPECT_TRUE(log.settled());
}

TEST(EventLogTest, AnAcknowledgementAmidTheSecondWritingLosesNothing) {
  EventLog log(kRoomy);
  log.KeepUnacknowledged();
  for (const char* text : {"a", "b", "c", "d"}) log.Push(Text(text));
  EXPECT_EQ(Rest(log), "1:a 2:b 3:c 4:d");
  ASSERT_TRUE(log.Rewind(0).ok());
  EXPECT_EQ(Next(log)->text_delta().text(), "a");
  EXPECT_EQ(Next(log)->text_delta().text(), "b");
  ASSERT_TRUE(log.Acknowledge(1).ok());
  EXPECT_EQ(Rest(log), "3:c 4:d");
}

TEST(EventLogTest, OnlyWhatIsUnreadIsDropped) {
  EventLog log(kRoomy);
  log.KeepUnacknowledged();
  log.Push(Audio("response-1"));
  EXPECT_TRUE(Next(log).has_value());
  log.Push(Audio("response-1"));
  log.DropMedia("response-1");
  ASSERT_TRUE(log.Rewind(0).ok());
  EXPECT_EQ(Rest(log), "1:") << "it has its number, so the client must get it";
}

TEST(EventLogTest, NumbersThatCannotBeAreRefusedAndChangeNothing) {
  EventLog log(kRoomy);
  log.KeepUnacknowledged();
  for (const char* text : {"a", "b", "c"}) log.Push(Text(text));
  EXPECT_EQ(log.Acknowledge(1).code(), StatusCode::kOutOfRange) << "it was not written yet";
  EXPECT_EQ(Rest(log), "1:a 2:b 3:c");
  ASSERT_TRUE(log.Acknowledge(2).ok());
  EXPECT_TRUE(log.Acknowledge(1).ok()) << "known already";
  EXPECT_EQ(log.Rewind(1).code(), StatusCode::kOutOfRange);
  EXPECT_NE(log.Rewind(1).message().find("must be 2 to 3"), std::string::npos) << log.Rewind(1).message();
  EXPECT_EQ(log.Rewind(4).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(Rest(log), "");
  ASSERT_TRUE(log.Rewind(2).ok());
  EXPECT_EQ(Rest(log), "3:c");
}

TEST(EventLogTest, WhatWasWrittenBeforeItWasToKeepCannotBeHad) {
  EventLog log(kRoomy);
  log.Push(Text("a"));
  EXPECT_EQ(Rest(log), "1:a");
  log.KeepUnacknowledged();
  EXPECT_EQ(log.Rewind(0).code(), StatusCode::kOutOfRange);
  EXPECT_TRUE(log.Rewind(1).ok());
}

TEST(EventLogTest, TooMuchUnreadIsAFault) {
  EventLog log({100, 1000, 1000});
  log.Push(Audio("response-1", 50));
  EXPECT_TRUE(log.fault().ok());
  log.Push(Audio("response-1", 50));
  EXPECT_EQ(log.fault().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(log.fault().message().find("does not read"), std::string::npos);
  log.Push(Text("a"));
  EXPECT_EQ(Rest(log), "");
}

TEST(EventLogTest, TooMuchUnacknowledgedIsAFault) {
  EventLog events({1 << 20, 3, 1 << 20});
  events.KeepUnacknowledged();
  for (int i = 0; i < 3; ++i) {
    events.Push(Text("a"));
    EXPECT_TRUE(Next(events).has_value());
  }
  EXPECT_TRUE(events.fault().ok());
  ASSERT_TRUE(events.Acknowledge(1).ok());
  events.Push(Text("a"));
  EXPECT_TRUE(events.fault().ok()) << "there was room again";
  events.Push(Text("a"));
  EXPECT_EQ(events.fault().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(events.fault().message().find("over 3 events"), std::string::npos);

  EventLog bytes({1 << 20, 1000, 300});
  bytes.KeepUnacknowledged();
  for (int i = 0; i < 2; ++i) {
    bytes.Push(Audio("response-1", 100));
    EXPECT_TRUE(Next(bytes).has_value());
  }
  EXPECT_TRUE(bytes.fault().ok());
  bytes.Push(Audio("response-1", 100));
  EXPECT_EQ(bytes.fault().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(bytes.fault().message().find("over 300 bytes"), std::string::npos);
}

TEST(EventLogTest, WithoutKeepingThereIsNoLimitToWhatWasWritten) {
  EventLog log({1 << 20, 3, 300});
  for (int i = 0; i < 100; ++i) {
    log.Push(Audio("response-1", 100));
    EXPECT_TRUE(Next(log).has_value());
  }
  EXPECT_TRUE(log.fault().ok());
}

}  // namespace
}  // namespace antiphon
