// Sequences as bytes: what is in them, what is refused, and that they go on as if nothing had happened.
#include "engine/sequence_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "common/byte_codec.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

const ModelIdentity kModel{"tiny", "v0", 1234};
constexpr size_t kHead = 17 + 8;  // what the checksum does not cover

SoundSnapshot ExampleOfSound() {
  return {.history = {0.5f, -2.0f},
          .frames = 3,
          .phase = 0.25,
          .manner = {.speed = SpeechSpeed::kFast},
          .position = 99,
          .last_hop = 16};
}

SequenceSnapshot Example();

// In the middle of an answer.
SequenceSnapshot ExampleOfAnswer() {
  SequenceSnapshot snapshot = Example();
  snapshot.stream = {.phase = StreamState::Phase::kAnswering,
                     .speak = true,
                     .next_symbol = 40,
                     .next_spoken = {1, 2, 3, 4},
                     .response_position = 2,
                     .pieces = 2,
                     .frames = 1};
  snapshot.positions.push_back({.symbol = TinyConfig().symbols.assistant});
  ResponseSnapshot& response = snapshot.response.emplace();
  response.begin = std::ssize(snapshot.positions) - 1;
  response.spoken = true;
  response.answer = {40, 41};
  response.decoder = {.started = true, .partial = "\xc3"};
  response.words = {40};
  response.pieces_before = {0};
  response.scores = {{}, {0.5f}};
  response.spoken_frames = 2;
  response.spoken_samples = 2560;
  response.image_codes = {1, 2};
  response.sampling = {.temperature = 0.5f, .seed = 9};
  response.speech = ExampleOfSound();
  return snapshot;
}

// In the middle of a turn.
SequenceSnapshot ExampleOfTurn() {
  SequenceSnapshot snapshot = Example();
  snapshot.stream = {.phase = StreamState::Phase::kListening, .next_symbol = 40};
  TurnSnapshot& turn = snapshot.turn.emplace();
  turn.before = {.phase = StreamState::Phase::kBetween};
  turn.length_before = 2;
  turn.transcript = "what was said";
  turn.decoder = {.space_pending = true};
  turn.heard_frames = 4;
  turn.hearing = ExampleOfSound();
  return snapshot;
}

SequenceSnapshot Example() {
  const ModelConfig config = TinyConfig();
  SequenceSnapshot snapshot;
  snapshot.stream = {.phase = StreamState::Phase::kClosing, .next_symbol = config.symbols.end};
  snapshot.positions = {{.symbol = 2}, {.symbol = 4, .heard = {39, 23, 27, 19}}};
  snapshot.positions.push_back({.symbol = config.image.begin});
  for (int64_t i = 0; i < config.image.codes(); ++i) {
    snapshot.positions.push_back({.symbol = config.image.first_code + i});
  }
  snapshot.positions.push_back({.symbol = config.image.end});
  snapshot.positions.push_back({.symbol = 63, .spoken = {1, 2, 3, 4}});
  snapshot.video = {{2}};
  return snapshot;
}

// The bytes with their checksum made right again.
std::string Resealed(std::string bytes) {
  const auto sum = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + kHead,
                                               static_cast<uInt>(bytes.size() - kHead)));
  for (size_t i = 0; i < 4; ++i) bytes[kHead - 4 + i] = static_cast<char>(sum >> (8 * i) & 0xff);
  return bytes;
}

TEST(SequenceSnapshotTest, IsReadAsItWasWritten) {
  for (const SequenceSnapshot& written : {Example(), ExampleOfTurn(), ExampleOfAnswer()}) {
    const auto read = ReadSnapshot(WriteSnapshot(written, kModel), kModel, TinyConfig());
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->stream, written.stream);
    EXPECT_EQ(read->video, written.video);
    ASSERT_EQ(read->positions.size(), written.positions.size());
    for (size_t i = 0; i < read->positions.size(); ++i) {
      EXPECT_EQ(read->positions[i].symbol, written.positions[i].symbol);
      EXPECT_EQ(read->positions[i].heard, written.positions[i].heard);
      EXPECT_EQ(read->positions[i].spoken, written.positions[i].spoken);
      EXPECT_FALSE(read->positions[i].has_output());
    }
    EXPECT_EQ(read->turn, written.turn);
    ASSERT_EQ(read->response.has_value(), written.response.has_value());
    if (!read->response) continue;
    // Every field of a response is in the bytes.
    EXPECT_EQ(read->response->speech, written.response->speech);
    EXPECT_EQ(WriteSnapshot(*read, kModel), WriteSnapshot(written, kModel));
  }
}

TEST(SequenceSnapshotTest, EveryTruncationIsRefused) {
  for (const SequenceSnapshot& example : {Example(), ExampleOfTurn(), ExampleOfAnswer()}) {
    const std::string bytes = WriteSnapshot(example, kModel);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(ReadSnapshot(bytes.substr(0, size), kModel, TinyConfig()).ok()) << size;
      if (size < kHead) continue;
      const auto read = ReadSnapshot(Resealed(bytes.substr(0, size)), kModel, TinyConfig());
      EXPECT_EQ(read.status().code(), StatusCode::kDataLoss) << size;
    }
    EXPECT_THAT(ReadSnapshot(Resealed(bytes + "x"), kModel, TinyConfig()).status().message(),
                HasSubstr("behind its end"));
  }
}

TEST(SequenceSnapshotTest, EveryChangedByteIsRefused) {
  for (const SequenceSnapshot& example : {Example(), ExampleOfTurn(), ExampleOfAnswer()}) {
    const std::string bytes = WriteSnapshot(example, kModel);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 0x40);
      EXPECT_FALSE(ReadSnapshot(changed, kModel, TinyConfig()).ok()) << i;
    }
  }
}

// Whatever a hostile client writes under a right checksum, what is read stays within the model.
TEST(SequenceSnapshotTest, WhatIsReadIsInRange) {
  const ModelConfig config = TinyConfig();
  int taken = 0;
  for (const SequenceSnapshot& example : {Example(), ExampleOfTurn(), ExampleOfAnswer()}) {
    const std::string bytes = WriteSnapshot(example, kModel);
    for (size_t i = kHead; i < bytes.size(); ++i) {
      for (int value = 0; value < 256; value += 5) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(value);
        const auto read = ReadSnapshot(Resealed(changed), kModel, config);
        if (!read.ok()) continue;
        ++taken;
        EXPECT_EQ(read->turn.has_value(), read->stream.in_turn());
        EXPECT_TRUE(read->response || !read->stream.in_response());
        if (read->response) {
          for (const int64_t piece : read->response->answer) EXPECT_LT(piece, config.symbols.text_pieces);
          for (const int64_t before : read->response->pieces_before) {
            EXPECT_LT(before, std::ssize(read->response->answer));
          }
          EXPECT_LE(read->response->begin.value_or(0), std::ssize(read->positions));
        }
        for (const StreamPosition& position : read->positions) {
          EXPECT_LT(position.symbol, config.symbols.vocab_size);
          for (size_t k = 0; k < position.heard.size(); ++k)
            EXPECT_LT(position.heard[k], config.codebook_sizes[k]);
          for (size_t k = 0; k < position.spoken.size(); ++k)
            EXPECT_LT(position.spoken[k], config.codebook_sizes[k]);
        }
        for (const auto& place : read->video) {
          EXPECT_LE(place.first + config.image.symbols(), static_cast<int64_t>(read->positions.size()));
        }
      }
    }
  }
  EXPECT_GT(taken, 0);
}

TEST(SequenceSnapshotTest, SaysWhyItIsRefused) {
  const std::string bytes = WriteSnapshot(Example(), kModel);
  EXPECT_EQ(ReadSnapshot("something else", kModel, TinyConfig()).status().code(),
            StatusCode::kInvalidArgument);
  std::string later = bytes;
  later[17] = 4;
  EXPECT_EQ(ReadSnapshot(later, kModel, TinyConfig()).status().code(), StatusCode::kUnimplemented);
  const auto other = ReadSnapshot(bytes, {"tiny", "v1", 1234}, TinyConfig()).status();
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(other.message(), HasSubstr("tiny v0"));
  EXPECT_EQ(ReadSnapshot(bytes, {"tiny", "v0", 1}, TinyConfig()).status().code(),
            StatusCode::kFailedPrecondition);
  std::string changed = bytes;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_THAT(ReadSnapshot(changed, kModel, TinyConfig()).status().message(), HasSubstr("checksum"));
}

TEST(SequenceSnapshotTest, PartsThatContradictEachOtherAreRefused) {
  const auto read = [](const SequenceSnapshot& snapshot) {
    return ReadSnapshot(WriteSnapshot(snapshot, kModel), kModel, TinyConfig()).status().code();
  };
  SequenceSnapshot both = ExampleOfTurn();
  both.response = ExampleOfAnswer().response;
  both.response->begin.reset();
  EXPECT_EQ(read(both), StatusCode::kDataLoss) << "in a turn and behind a response";
  SequenceSnapshot behind = ExampleOfAnswer();
  behind.positions.insert(behind.positions.begin() + 1, behind.positions.back());
  behind.video = {{3}};
  behind.response->begin = 1;
  EXPECT_EQ(read(behind), StatusCode::kDataLoss) << "video behind the beginning of a response";
  SequenceSnapshot straddles = ExampleOfTurn();
  straddles.turn->length_before = 4;
  EXPECT_EQ(read(straddles), StatusCode::kDataLoss) << "video half before the turn";
  SequenceSnapshot no_picture = Example();
  no_picture.positions[4].symbol = 63;
  EXPECT_EQ(read(no_picture), StatusCode::kDataLoss) << "video with text in it";
}

TEST(SequenceSnapshotTest, ATranscriptOfAnyLengthMoves) {
  SequenceSnapshot snapshot = ExampleOfTurn();
  snapshot.turn->transcript = std::string(100'000, 'a');
  const auto read = ReadSnapshot(WriteSnapshot(snapshot, kModel), kModel, TinyConfig());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->turn->transcript, snapshot.turn->transcript);
}

// What a sequence says next; `moved`: by another engine.
std::vector<std::string> SaysNext(bool moved) {
  EngineBench first;
  auto owner = first.Open();
  owner->Hear({0, 5, 0, 9, 1});
  first.RunAll();
  EngineBench second;
  EngineBench& bench = moved ? second : first;
  if (moved) {
    owner->Export();
    first.RunAll();
    const auto read = ReadSnapshot(owner->exported(), {}, first.config);
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    owner = second.Open();
    owner->Restore(*read);
  }
  owner->Take();
  owner->Type("more");
  owner->EndTurn();
  bench.RunAll();
  std::vector<std::string> told = owner->Take();
  for (std::string& event : told) event = event.substr(event.find(' '));  // turns are counted anew
  return told;
}

TEST(SequenceSnapshotTest, ASequenceThatMovedSaysTheSame) {
  const auto unmoved = SaysNext(false);
  EXPECT_EQ(SaysNext(true), unmoved);
  EXPECT_THAT(unmoved.back(), HasSubstr("done completed"));
}

TEST(SequenceSnapshotTest, AFreshSequenceIsExported) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Export();
  bench.RunAll();
  EXPECT_EQ(owner->Count("0 exported"), 1) << "an empty one is one";
}

// As version 1 wrote it.
TEST(SequenceSnapshotTest, AnOlderOneIsRead) {
  ByteWriter body;
  body.PutText(kModel.name);
  body.PutText(kModel.version);
  body.Put(kModel.weights);
  body.Put(static_cast<uint8_t>(StreamState::Phase::kClosing));
  body.Put(uint32_t{5});
  body.Put(uint32_t{2});
  for (const uint32_t symbol : {2u, 63u}) {
    body.Put(symbol);
    body.Put(uint8_t{0});
  }
  body.Put(uint8_t{0});
  ByteWriter head;
  head.Put(uint32_t{1});
  head.Put(uint32_t{0});
  const std::string bytes = Resealed("antiphon session\n" + head.bytes() + body.bytes());
  const auto read = ReadSnapshot(bytes, kModel, TinyConfig());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->stream.phase, StreamState::Phase::kClosing);
  EXPECT_EQ(read->stream.next_symbol, 5);
  EXPECT_EQ(read->positions.size(), 2u);
  EXPECT_FALSE(read->turn || read->response);
}

TEST(SequenceSnapshotTest, OnlyAFreshSequenceIsRestored) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Type("one");
  owner->EndTurn();
  bench.RunAll();
  owner->Restore(
      {.stream = {.phase = StreamState::Phase::kBetween}, .positions = {{.symbol = 2}}, .video = {}});
  owner->Take();
  EXPECT_EQ(bench.RunAll(), 0);
}

TEST(SequenceSnapshotTest, WhatIsLeftOfACutAnswerMoves) {
  const auto next = [](bool moved) {
    EngineBench bench;
    auto owner = bench.Open();
    owner->Hear({0, 5, 0, 9, 1});
    bench.RunAll();
    owner->CutResponse(2);
    if (moved) {
      owner->Export();  // before what is left was run again
      bench.loop.RunOnce();
      const auto read = ReadSnapshot(owner->exported(), {}, bench.config);
      EXPECT_TRUE(read.ok());
      owner = bench.Open();
      owner->Restore(*read);
    }
    bench.RunAll();
    owner->Take();
    owner->Type("more");
    owner->EndTurn();
    bench.RunAll();
    std::vector<std::string> told = owner->Take();
    for (std::string& event : told) event = event.substr(event.find(' '));
    return told;
  };
  EXPECT_EQ(next(true), next(false));
}

}  // namespace
}  // namespace antiphon
