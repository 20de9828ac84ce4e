// Sessions that are exported, and gone on with.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <random>

#include "conversation/session_snapshot.h"
#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using server_event::AudioDelta;
using server_event::SpeechStarted;
using server_event::TextDelta;

constexpr size_t kHead = 22 + 8;  // what the checksum does not cover

// The bytes with their checksum made right again.
std::string Resealed(std::string bytes) {
  const auto sum = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + kHead,
                                               static_cast<uInt>(bytes.size() - kHead)));
  for (size_t i = 0; i < 4; ++i) bytes[kHead - 4 + i] = static_cast<char>(sum >> (8 * i) & 0xff);
  return bytes;
}

// The server that a session moves to.
class OtherServer : private EventSink {
 public:
  explicit OtherServer(const Clock& clock, const ModelDescription& model = TestModel()) {
    const auto paint = [](std::span<const int>) { return Image{.width = 1, .height = 1, .rgb = {0, 0, 0}}; };
    conversation = Conversation::Create({.session_id = "other", .max_session_seconds = 60}, model,
                                        std::make_unique<RecordingSequence>(record), paint, clock, *this)
                       .value();
    conversation->Start();
  }
  void Import(const std::string& snapshot, TimePoint now) {
    conversation->OnClientEvent({"", now, client_event::ImportSession{snapshot}});
  }
  template <typename Kind>
  std::vector<Kind> All() const {
    std::vector<Kind> found;
    for (const ServerEvent& event : events) {
      if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
    }
    return found;
  }

  std::shared_ptr<SequenceRecord> record = std::make_shared<SequenceRecord>();
  std::unique_ptr<Conversation> conversation;
  std::vector<ServerEvent> events;

 private:
  void Send(ServerEvent event) override { events.push_back(std::move(event)); }
  void DropMedia(const std::string&) override {}
};

class SessionTransferTest : public ConversationFixture {
 protected:
  std::string Export(uint64_t turn = 1) {
    Client(client_event::ExportSession{});
    EXPECT_FALSE(conversation_->accepts_input()) << "what came behind it would be in no snapshot";
    Engine(turn, SequenceExported{"bytes"});
    EXPECT_TRUE(conversation_->accepts_input());
    return One<server_event::SessionExported>().snapshot;
  }
  void Both(OtherServer& other, const SequenceEvent& event) {
    Engine(1, event);
    other.conversation->OnEngineEvent(1, event);
  }
  static std::string Bytes(const std::vector<AudioDelta>& deltas, uint64_t from) {
    std::string bytes;
    for (const AudioDelta& delta : deltas) {
      if (delta.first_sample >= from) bytes += delta.audio;
    }
    return bytes;
  }
};

TEST_F(SessionTransferTest, GoesOnWithItsSettings) {
  ConfigUpdate settings;
  settings.output_audio = AudioFormatUpdate{1, 16000, 0};
  settings.max_lead_ms = 700;
  settings.sampling = SamplingUpdate{.temperature = 0.5f, .seed = UINT64_MAX};
  Client(client_event::SessionUpdate{settings});
  OtherServer other(clock_);
  other.Import(Export(0), clock_.Now());
  EXPECT_EQ(other.record->restored, std::vector<std::string>{"bytes"});
  const auto updated = other.All<server_event::SessionUpdated>();
  ASSERT_EQ(updated.size(), 1u);
  EXPECT_EQ(updated[0].config.output.sample_rate, 24000) << "formats are those of the client that goes on";
  EXPECT_EQ(updated[0].config.max_lead_ms, 700);
  EXPECT_EQ(other.record->options.back().sampling.seed, UINT64_MAX);
  ASSERT_EQ(other.All<server_event::SessionImported>().size(), 1u);
  EXPECT_EQ(other.All<server_event::SessionImported>()[0].context_positions, 7);
}

// What one says behind the moment the other says as well, to the byte.
TEST_F(SessionTransferTest, GoesOnInTheMiddleOfAnAnswer) {
  BeginAnswer();
  Engine(1, ResponseText{"good ", clock_.Now()});
  for (int frame = 0; frame < 3; ++frame) {
    EngineSpeaks(1, 0.1f * static_cast<float>(frame + 1));
    Advance(40);
  }
  OtherServer other(clock_);
  other.Import(Export(), clock_.Now());
  EXPECT_EQ(other.conversation->state(), ConversationState::kResponding);
  const uint64_t sent = All<AudioDelta>().back().first_sample + All<AudioDelta>().back().audio.size() / 2;
  EXPECT_TRUE(other.All<AudioDelta>().empty()) << "it was sent already";

  Both(other, ResponseText{"morning", clock_.Now()});
  for (int frame = 0; frame < 4; ++frame) {
    Both(other, ResponseAudio{std::vector<float>(1280, -0.2f), clock_.Now()});
    Advance(80);
  }
  Both(other, ResponseDone{ResponseEnd::kCompleted, {}, 4, 7, 0, 60});
  const std::string rest = Bytes(All<AudioDelta>(), sent);
  EXPECT_GT(rest.size(), 4u * 1920 * 2 - 100);
  EXPECT_EQ(Bytes(other.All<AudioDelta>(), 0), rest);
  EXPECT_EQ(other.All<AudioDelta>().front().first_sample, sent);
  ASSERT_EQ(other.All<TextDelta>().size(), 1u);
  EXPECT_EQ(other.All<TextDelta>()[0].text, "morning");
  const auto done = other.All<server_event::ResponseDone>();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].text, "good morning");
  EXPECT_EQ(done[0].response_id, One<server_event::ResponseDone>().response_id);
  EXPECT_EQ(done[0].usage.input_text_pieces, 3);
}

TEST_F(SessionTransferTest, SpeechThatWaitsToBeSentGoesAlong) {
  ConfigUpdate settings;
  settings.max_lead_ms = 200;
  Client(client_event::SessionUpdate{settings});
  BeginAnswer();
  for (int frame = 0; frame < 6; ++frame) EngineSpeaks();
  OtherServer other(clock_);
  other.Import(Export(), clock_.Now());
  const size_t sent = Bytes(All<AudioDelta>(), 0).size();
  EXPECT_LT(sent, 6u * 1920 * 2 - 200);
  for (int i = 0; i < 20; ++i) {
    Advance(20);
    conversation_->Tick();
    other.conversation->Tick();
  }
  EXPECT_EQ(Bytes(other.All<AudioDelta>(), 0), Bytes(All<AudioDelta>(), sent / 2));
  EXPECT_FALSE(other.All<AudioDelta>().empty());
}

// How far it was played moves too: a voice cuts it where it was heard.
TEST_F(SessionTransferTest, AnAnswerThatIsStillPlayedCanBeCutThere) {
  BeginAnswer();
  for (int frame = 0; frame < 10; ++frame) EngineSpeaks();
  EngineIsDone();
  Advance(200);
  OtherServer other(clock_);
  other.Import(Export(), clock_.Now());
  Advance(200);
  other.conversation->OnClientEvent({"", clock_.Now(), client_event::Cancel{}});
  EXPECT_EQ(other.record->cuts, std::vector<int>{5});
}

TEST_F(SessionTransferTest, GoesOnInTheMiddleOfAVoiceWithTheSameFrames) {
  for (const int cut_ms : {300, 440, 620, 1010}) {
    conversation_.reset();
    record_ = std::make_shared<SequenceRecord>();
    frames_run_ = 0;
    events_.clear();
    conversation_ = Conversation::Create({.session_id = "test", .max_session_seconds = 60}, TestModel(),
                                         std::make_unique<RecordingSequence>(record_), nullptr, clock_, *this)
                        .value();
    conversation_->Start();
    Pause(200);
    std::vector<float> voice = Voice(2000, kRate);
    const auto cut = voice.begin() + cut_ms * kRate / 1000;
    Microphone({voice.begin(), cut});
    ASSERT_EQ(state(), ConversationState::kHearing) << cut_ms;
    OtherServer other(clock_);
    other.Import(Export(), clock_.Now());
    EXPECT_EQ(other.conversation->state(), ConversationState::kHearing);
    const size_t before = record_->frames.size();
    const size_t packet = kRate * kPacketMs / 1000;
    for (auto at = cut; voice.end() - at >= static_cast<std::ptrdiff_t>(packet); at += packet) {
      const std::vector<float> samples(at, at + packet);
      Microphone(samples);
      other.conversation->OnClientEvent({"", clock_.Now(), client_event::AudioAppend{EncodePcm16(samples)}});
    }
    ASSERT_EQ(other.record->frames.size(), record_->frames.size() - before) << cut_ms;
    for (size_t i = before; i < record_->frames.size(); ++i) {
      EXPECT_EQ(other.record->frames[i - before].samples, record_->frames[i].samples) << cut_ms << ' ' << i;
    }
    EXPECT_TRUE(other.All<SpeechStarted>().empty()) << "that was told before";
    Client(client_event::Commit{});
    other.conversation->OnClientEvent({"", clock_.Now(), client_event::Commit{}});
    EXPECT_EQ(other.record->ends, record_->ends);
  }
}

// It sets in before the move and is known only behind it: nothing of it is lost, and its place is the same.
TEST_F(SessionTransferTest, AVoiceThatIsSettingInIsHeard) {
  Pause(1000);
  std::vector<float> voice = Voice(1000, kRate);
  Microphone({voice.begin(), voice.begin() + kRate / 50});
  ASSERT_EQ(state(), ConversationState::kWaiting);
  OtherServer other(clock_);
  other.Import(Export(0), clock_.Now());
  for (auto at = voice.begin() + kRate / 50; at < voice.end(); at += kRate / 50) {
    const std::vector<float> samples(at, at + kRate / 50);
    Microphone(samples);
    other.conversation->OnClientEvent({"", clock_.Now(), client_event::AudioAppend{EncodePcm16(samples)}});
  }
  ASSERT_EQ(other.All<SpeechStarted>().size(), 1u);
  const auto here = static_cast<double>(One<SpeechStarted>().audio_offset_samples);
  EXPECT_NEAR(static_cast<double>(other.All<SpeechStarted>()[0].audio_offset_samples), here, kRate * 0.03);
}

TEST_F(SessionTransferTest, ATypedTurnGoesOn) {
  Client(client_event::TextAppend{"hello"});
  OtherServer other(clock_);
  other.Import(Export(0), clock_.Now());
  other.conversation->OnClientEvent({"", clock_.Now(), client_event::Commit{}});
  EXPECT_EQ(other.record->ends, std::vector{TurnEndCause::kCommit});
}

// What the engine is about to say is waited for.
TEST_F(SessionTransferTest, ATurnThatIsEndingIsExportedWhenItHasEnded) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  Client(client_event::ExportSession{});
  EXPECT_EQ(record_->exports, 0);
  EngineAnswers(1, TurnEndCause::kCommit);
  EXPECT_EQ(record_->exports, 1);
  Engine(1, SequenceExported{"bytes"});
  OtherServer other(clock_);
  other.Import(One<server_event::SessionExported>().snapshot, clock_.Now());
  EXPECT_EQ(other.conversation->state(), ConversationState::kResponding);
}

TEST_F(SessionTransferTest, InputThatWaitsInTheEngineIsNotLost) {
  BeginAnswer();
  Client(client_event::ExportSession{});
  Engine(1, SequenceExported{});
  ExpectError(StatusCode::kFailedPrecondition, "", "behind ResponseDone");
  EXPECT_TRUE(conversation_->accepts_input());
}

TEST_F(SessionTransferTest, IsImportedBeforeAnythingIsSaid) {
  Client(client_event::ImportSession{"bytes"});
  EXPECT_EQ(record_->restored, std::vector<std::string>{"bytes"}) << "as older servers exported them";
  EXPECT_EQ(One<server_event::SessionImported>().context_positions, 7);
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
  EXPECT_EQ(record_->restored.size(), 1u);
}

TEST_F(SessionTransferTest, IsNotImportedLater) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
  Client(client_event::Commit{});
  EngineAnswers(1, TurnEndCause::kCommit);
  EngineIsDone();
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
}

TEST_F(SessionTransferTest, AnAnswerGoesOnInItsOwnFormatOnly) {
  BeginAnswer();
  EngineSpeaks();
  const std::string snapshot = Export();
  OtherServer other(clock_);
  ConfigUpdate settings;
  settings.output_audio = AudioFormatUpdate{1, 16000, 0};
  other.conversation->OnClientEvent({"", clock_.Now(), client_event::SessionUpdate{settings}});
  other.Import(snapshot, clock_.Now());
  ASSERT_EQ(other.All<server_event::Error>().size(), 1u);
  EXPECT_EQ(other.All<server_event::Error>()[0].refusal.status.code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(other.record->restored.empty());
}

TEST_F(SessionTransferTest, WhatTheEngineRefusesIsTold) {
  record_->append_result = DataLoss("the session's checksum is wrong");
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kDataLoss, "import_session.snapshot", "checksum");
  record_->append_result = OkStatus();
  const std::string snapshot = Export(0);
  OtherServer other(clock_);
  other.record->append_result = DataLoss("the session's checksum is wrong");
  other.Import(snapshot, clock_.Now());
  EXPECT_EQ(other.All<server_event::Error>().size(), 1u);
  other.record->append_result = OkStatus();
  other.Import(snapshot, clock_.Now());
  EXPECT_EQ(other.All<server_event::SessionImported>().size(), 1u) << "a refused one is none";
}

TEST_F(SessionTransferTest, WhatServersBeforeEnhancementExportedIsTaken) {
  ConfigUpdate settings;
  settings.max_lead_ms = 700;
  Client(client_event::SessionUpdate{settings});
  std::string bytes = Export();
  // As version 1 has it: without the flag and the two values of speech_enhancement behind max_lead_ms, once
  // in the settings and once in those of the last response.
  const std::string lead = std::string("\xbc\x02", 2) + std::string(6, '\0');
  const std::string default_lead = std::string("\x88\x13", 2) + std::string(6, '\0');
  for (const std::string& before : {lead, default_lead}) {
    const size_t at = bytes.find(before, kHead);
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(bytes[at + 8], 1) << "the flag";
    bytes.erase(at + 8, 1 + 8 + 1);
  }
  bytes[kHead - 8] = 1;
  OtherServer other(clock_);
  other.Import(Resealed(bytes), clock_.Now());
  ASSERT_EQ(other.All<server_event::SessionImported>().size(), 1u);
  EXPECT_EQ(other.All<server_event::SessionUpdated>().back().config.max_lead_ms, 700);
}

// As long in samples as numbers go, in the middle of a voice.
TEST_F(SessionTransferTest, AVoiceThatHasLastedForEverDoesNoHarm) {
  Speak(400);
  ASSERT_EQ(state(), ConversationState::kHearing);
  auto snapshot = ReadSessionSnapshot(Export(), TestModel());
  ASSERT_TRUE(snapshot.ok());
  snapshot->input_samples = (uint64_t{1} << 40) - 1;
  snapshot->voice_end = 0;
  snapshot->last_samples.clear();
  OtherServer other(clock_);
  other.Import(WriteSessionSnapshot(*snapshot), clock_.Now());
  ASSERT_EQ(other.All<server_event::SessionImported>().size(), 1u);
  Advance(2000);  // in which the model finds no words
  other.conversation->Tick();
  EXPECT_EQ(other.conversation->state(), ConversationState::kWaiting)
      << "a voice without words, and long silence";
}

TEST_F(SessionTransferTest, WhatCannotBeExportedIsSaidToWhoAsked) {
  BeginAnswer();
  Client(client_event::ExportSession{}, "please");
  Engine(1, SequenceExported{});
  EXPECT_EQ(One<server_event::Error>().event_id, "please");
}

TEST_F(SessionTransferTest, WhatIsBrokenIsRefusedAndWhatIsHostileDoesNoHarm) {
  ConfigUpdate settings;
  settings.max_lead_ms = 200;
  Client(client_event::SessionUpdate{settings});
  BeginAnswer();
  Engine(1, ResponseText{"good ", clock_.Now()});
  for (int frame = 0; frame < 5; ++frame) EngineSpeaks();
  const std::string bytes = Export();
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
    EXPECT_FALSE(ReadSessionSnapshot(bytes.substr(0, size), TestModel()).ok()) << size;
    if (size < kHead) continue;
    const auto read = ReadSessionSnapshot(Resealed(bytes.substr(0, size)), TestModel());
    EXPECT_EQ(read.status().code(), StatusCode::kDataLoss) << size;
  }
  std::string later = bytes;
  later[kHead - 8] = 9;
  EXPECT_EQ(ReadSessionSnapshot(later, TestModel()).status().code(), StatusCode::kUnimplemented);
  std::string changed = bytes;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_EQ(ReadSessionSnapshot(changed, TestModel()).status().code(), StatusCode::kDataLoss);

  std::mt19937 random(5);
  int taken = 0;
  for (int i = 0; i < 600; ++i) {
    std::string hostile = bytes;
    for (int k = 0; k < 2; ++k) {
      // Numbers stand at the beginning; what comes behind is mostly samples.
      const size_t at = kHead + random() % std::min<size_t>(900, bytes.size() - kHead);
      hostile[at] = static_cast<char>(random());
    }
    OtherServer other(clock_);
    other.Import(Resealed(hostile), clock_.Now());
    taken += other.All<server_event::Error>().empty() ? 1 : 0;
    for (int k = 0; k < 3; ++k) {
      other.conversation->OnEngineEvent(1, ResponseAudio{std::vector<float>(1280, 0.1f), clock_.Now()});
      other.conversation->Tick();
    }
    other.conversation->OnEngineEvent(1, ResponseDone{ResponseEnd::kCompleted, {}, 4, 7, 0, 60});
    other.conversation->OnClientEvent({"", clock_.Now(), client_event::Cancel{}});
  }
  EXPECT_GT(taken, 0);
}

TEST_F(SessionTransferTest, WhatIsReadIsWrittenTheSame) {
  BeginAnswer();
  Engine(1, ResponseText{"good ", clock_.Now()});
  EngineSpeaks();
  const std::string bytes = Export();
  const auto read = ReadSessionSnapshot(bytes, TestModel());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(WriteSessionSnapshot(*read), bytes);
}

}  // namespace
}  // namespace antiphon
