// Recordings as bytes: what is in them, what a crash leaves, and what is refused.
#include "engine/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

const ModelIdentity kModel{"tiny", "v0", 1234};
const RecordingHead kHead{kModel, WeightFormat::kInt8, "avx2"};

std::vector<float> Sound(float step) {
  std::vector<float> samples(static_cast<size_t>(TinyConfig().frame_samples));
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = step * static_cast<float>(i % 100);
  return samples;
}

RecordedStand ExampleStand() {
  return {.stream = {.phase = StreamState::Phase::kAnswering,
                     .speak = true,
                     .next_symbol = 9,
                     .next_spoken = {1, 2, 3, 4},
                     .response_position = 7,
                     .pieces = 3,
                     .frames = 2,
                     .images = 1,
                     .drawing = true,
                     .image_codes = 5,
                     .image_open = true,
                     .limits = {.max_pieces = 40, .max_frames = 30, .max_images = 2}},
          .answer = {8, 9, 10},
          .manner = {.voice = SpeechVoice::kLow, .speed = SpeechSpeed::kFast}};
}

// One of each kind.
std::vector<RecordedOperation> Example() {
  return {RecordedSampling{{.temperature = 0.5f,
                            .top_k = 7,
                            .top_p = 0.9f,
                            .repetition_penalty = 1.5f,
                            .seed = 0x123456789abcdef0}},
          RecordedInputs{.position = 0, .positions = {{.symbol = 2}, {.symbol = 4, .heard = {5, 6, 7, 8}}}},
          RecordedFrame{.position = 2,
                        .first = true,
                        .threshold = 0.75f,
                        .samples = Sound(1.0f / 32768),
                        .codes = {1, 2, 3, 4},
                        .symbol = 11},
          RecordedFrame{.position = 3, .samples = Sound(0.0001f), .codes = {4, 3, 2, 1}, .symbol = 5},
          ExampleStand(),
          RecordedAnswer{.position = 4, .symbol = 12, .codes = {40, 0, 0, 0}},
          RecordedAnswer{.position = 5, .symbol = 13, .codes = {}},
          RecordedCut{3},
          RecordedGap{.first = 1, .rows = 2}};
}

std::string Bytes(const std::vector<RecordedOperation>& operations, const RecordingHead& head = kHead) {
  std::string bytes = WriteRecordingHead(head);
  for (const RecordedOperation& operation : operations) bytes += WriteRecord(operation);
  return bytes;
}

Result<Recording> Read(std::string bytes) {
  static const ModelConfig config = TinyConfig();
  return Recording::Read(std::move(bytes), kModel, config);
}

std::vector<RecordedOperation> AllOf(Recording recording) {
  std::vector<RecordedOperation> operations;
  while (auto operation = recording.Next()) operations.push_back(*std::move(operation));
  return operations;
}

std::string Kind(const Status& status) { return std::string(StatusCodeName(status.code())); }

// The record of an operation whose body has `byte` at `offset`, sealed again.
std::string Changed(std::string record, size_t offset, char byte) {
  const size_t sealed = record.size() - 4;
  record.at(5 + offset) = byte;
  const auto sum = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(record.data()), static_cast<uInt>(sealed)));
  for (size_t i = 0; i < 4; ++i) record[sealed + i] = static_cast<char>(sum >> (8 * i) & 0xff);
  return record;
}

TEST(RecordingTest, IsReadAsItWasWritten) {
  const std::vector<RecordedOperation> written = Example();
  auto read = Read(Bytes(written) + WriteRecord(RecordedEnd{RecordingEnd::kFull}));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->head().model, kModel);
  EXPECT_EQ(read->head().weights, WeightFormat::kInt8);
  EXPECT_EQ(read->head().kernels, "avx2");
  EXPECT_EQ(read->end(), RecordingEnd::kFull);
  const std::vector<RecordedOperation> operations = AllOf(*read);
  ASSERT_EQ(operations.size(), written.size());
  // Whatever is not the same in memory is not the same as bytes.
  for (size_t i = 0; i < written.size(); ++i) {
    EXPECT_EQ(WriteRecord(operations[i]), WriteRecord(written[i])) << i;
  }
  EXPECT_EQ(std::get<RecordedStand>(operations[4]).stream, ExampleStand().stream);
  EXPECT_EQ(std::get<RecordedFrame>(operations[2]).samples, std::get<RecordedFrame>(written[2]).samples);
  EXPECT_EQ(std::get<RecordedFrame>(operations[3]).samples, std::get<RecordedFrame>(written[3]).samples);
  EXPECT_EQ(std::get<RecordedSampling>(operations[0]).sampling.seed, 0x123456789abcdef0u);
}

TEST(RecordingTest, SamplesOfSixteenBitsTakeHalfThePlace) {
  const std::vector<RecordedOperation> operations = Example();
  const size_t samples = Sound(0).size();
  EXPECT_EQ(WriteRecord(operations[3]).size() - WriteRecord(operations[2]).size(), 2 * samples);
  // A negative zero is another number than zero.
  RecordedFrame frame = std::get<RecordedFrame>(operations[2]);
  frame.samples[0] = -0.0f;
  EXPECT_EQ(WriteRecord(frame).size(), WriteRecord(operations[3]).size());
}

// What a crash leaves: all whole records are there.
TEST(RecordingTest, EveryPrefixIsARecording) {
  const std::vector<RecordedOperation> written = Example();
  const std::string bytes = Bytes(written);
  const size_t head = Bytes({}).size();
  size_t whole = 0;
  size_t next = head;
  for (size_t size = head; size <= bytes.size(); ++size) {
    if (whole < written.size() && size == next + WriteRecord(written[whole]).size()) {
      next = size;
      ++whole;
    }
    auto read = Read(bytes.substr(0, size));
    ASSERT_TRUE(read.ok()) << size << ": " << read.status().ToString();
    EXPECT_EQ(read->end(), RecordingEnd::kBrokenOff);
    EXPECT_EQ(AllOf(*read).size(), whole) << size;
  }
  EXPECT_EQ(whole, written.size());
  for (size_t size = 0; size < head; ++size) EXPECT_FALSE(Read(bytes.substr(0, size)).ok()) << size;
}

TEST(RecordingTest, NoChangedByteIsTakenForAnother) {
  const std::string bytes = Bytes(Example()) + WriteRecord(RecordedEnd{});
  for (size_t i = 0; i < bytes.size(); i += 3) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    auto read = Read(changed);
    if (!read.ok()) continue;
    // A size that is too large now: what is behind it counts as broken off.
    EXPECT_EQ(read->end(), RecordingEnd::kBrokenOff) << i;
  }
}

TEST(RecordingTest, SaysWhyItIsRefused) {
  EXPECT_EQ(Kind(Read("something else").status()), "INVALID_ARGUMENT");
  EXPECT_EQ(Kind(Read("").status()), "INVALID_ARGUMENT");
  std::string later = Bytes(Example());
  later[19] = 2;
  EXPECT_EQ(Kind(Read(later).status()), "UNIMPLEMENTED");
  const Status other = Read(Bytes({}, {{"tiny", "v1", 1234}, WeightFormat::kAsStored, "avx2"})).status();
  EXPECT_EQ(Kind(other), "FAILED_PRECONDITION");
  EXPECT_THAT(other.message(), HasSubstr("tiny v1"));
  EXPECT_EQ(Kind(Read(Bytes({}, {{"tiny", "v0", 1}, WeightFormat::kAsStored, "avx2"})).status()),
            "FAILED_PRECONDITION");
  std::string broken = Bytes(Example());
  broken[broken.size() / 2] ^= 1;
  const Status checksum = Read(broken).status();
  EXPECT_EQ(Kind(checksum), "DATA_LOSS");
  EXPECT_THAT(checksum.message(), HasSubstr("wrong checksum"));
  EXPECT_THAT(checksum.message(), HasSubstr("byte "));
  const Status behind = Read(Bytes({RecordedEnd{}, RecordedCut{0}})).status();
  EXPECT_THAT(behind.message(), HasSubstr("bytes behind its end"));
}

TEST(RecordingTest, ValuesOutOfTheirRangeAreRefused) {
  const ModelConfig config = TinyConfig();
  const auto refused = [](const RecordedOperation& operation, const std::string& what) {
    const Status status = Read(Bytes({operation})).status();
    EXPECT_EQ(Kind(status), "DATA_LOSS") << what;
    EXPECT_THAT(status.message(), HasSubstr(what));
  };
  refused(RecordedAnswer{.position = config.max_positions, .symbol = 1}, "position");
  refused(RecordedAnswer{.position = 1, .symbol = config.symbols.vocab_size}, "symbol");
  refused(RecordedAnswer{.position = 1, .symbol = 1, .codes = {config.codebook_sizes[0] + 1, 0, 0, 0}},
          "spoken code");
  refused(RecordedInputs{.position = 0, .positions = {}}, "number of positions");
  refused(RecordedInputs{.position = 0,
                         .positions = {{.symbol = 1, .heard = {config.codebook_sizes[0], 0, 0, 0}}}},
          "heard code");
  refused(RecordedCut{config.max_positions + 1}, "length");
  refused(RecordedSampling{{.temperature = -1.0f}}, "sampling");
  refused(RecordedSampling{{.temperature = std::numeric_limits<float>::quiet_NaN()}}, "sampling");
  refused(RecordedSampling{{.top_p = 0.0f}}, "sampling");
  RecordedFrame frame = std::get<RecordedFrame>(Example()[3]);
  frame.samples[5] = std::numeric_limits<float>::infinity();
  refused(frame, "sample");
  frame.samples.pop_back();
  refused(frame, "number of samples");
  frame = std::get<RecordedFrame>(Example()[2]);
  frame.threshold = 1.5f;
  refused(frame, "endpoint threshold");
  RecordedStand stand = ExampleStand();
  stand.stream.image_codes = config.image.codes() + 1;
  refused(stand, "picture");
  stand = ExampleStand();
  stand.answer = {config.symbols.vocab_size};
  refused(stand, "symbol");
}

TEST(RecordingTest, AHostileRecordIsRefused) {
  // A kind that is none, a phase that is none, and more of the same between two steps than could ever be.
  const std::string head = Bytes({});
  std::string unknown = WriteRecord(RecordedCut{1});
  unknown[0] = 77;
  unknown = Changed(unknown, 0, unknown[5]);
  EXPECT_THAT(Read(head + unknown).status().message(), HasSubstr("kind 77"));
  const std::string phase = Changed(WriteRecord(ExampleStand()), 0, 5);
  EXPECT_THAT(Read(head + phase).status().message(), HasSubstr("phase"));
  std::string many = head;
  for (int i = 0; i < 100; ++i) many += WriteRecord(RecordedCut{0});
  EXPECT_THAT(Read(many).status().message(), HasSubstr("one too many"));
  std::string flag = WriteRecord(RecordedAnswer{.position = 1, .symbol = 1});
  flag = Changed(flag, 8, 2);
  EXPECT_THAT(Read(head + flag).status().message(), HasSubstr("channels"));
}

// Whatever is written under a right checksum, what is read stays within the model.
TEST(RecordingTest, WhatIsReadIsInRange) {
  const ModelConfig config = TinyConfig();
  const std::string head = Bytes({});
  int taken = 0;
  for (const RecordedOperation& operation : Example()) {
    if (std::holds_alternative<RecordedFrame>(operation)) continue;  // long, and most of it may be anything
    const std::string record = WriteRecord(operation);
    for (size_t i = 0; i + 9 < record.size(); ++i) {
      for (int value = 0; value < 256; value += 7) {
        auto read = Read(head + Changed(record, i, static_cast<char>(value)));
        if (!read.ok()) continue;
        const std::vector<RecordedOperation> operations = AllOf(*read);
        ASSERT_EQ(operations.size(), 1u);
        ++taken;
        if (const auto* stand = std::get_if<RecordedStand>(&operations[0])) {
          EXPECT_LT(stand->stream.next_symbol, config.symbols.vocab_size);
          EXPECT_LE(stand->stream.image_codes, config.image.codes());
          EXPECT_FALSE(stand->stream.awaits_output);
          for (size_t k = 0; k < stand->stream.next_spoken.size(); ++k)
            EXPECT_LT(stand->stream.next_spoken[k], config.codebook_sizes[k]);
        }
        if (const auto* inputs = std::get_if<RecordedInputs>(&operations[0])) {
          for (const StreamPosition& position : inputs->positions) {
            EXPECT_LT(position.symbol, config.symbols.vocab_size);
            EXPECT_FALSE(position.has_output());
          }
        }
      }
    }
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace antiphon
