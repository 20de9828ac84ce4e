// A short run of every fuzz target in each build, with damage that is the same every time: found by chance
// once, found always. The long runs are libFuzzer's (README.md).
#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "antiphon/v1/conversation.pb.h"
#include "antiphon/v1/generation.pb.h"
#include "engine/recording.h"
#include "media/image.h"
#include "media/opus.h"
#include "media/pcm.h"
#include "media/wav.h"
#include "tests/conversation/voice.h"
#include "tests/fuzz/recording_model.h"
#include "tests/fuzz/targets.h"
#include "tests/media/pictures.h"

namespace antiphon::fuzz {
namespace {

// Flips, removes, repeats and overwrites pieces; sometimes with another seed's.
std::string Damaged(const std::string& seed, const std::string& other, std::mt19937* random) {
  std::string bytes = seed;
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : static_cast<size_t>((*random)()) % limit; };
  for (size_t times = 1 + below(6); times > 0; --times) {
    const size_t at = below(bytes.size());
    const size_t length = below(1 + below(64));
    switch (below(6)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = static_cast<char>((*random)());
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.replace(at, length, other.substr(below(other.size()), length));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

void Fuzz(const std::function<void(std::string_view)>& target, const std::vector<std::string>& seeds,
          int rounds) {
  std::mt19937 random(1);
  for (const std::string& seed : seeds) target(seed);
  for (int round = 0; round < rounds; ++round) {
    target(Damaged(seeds[random() % seeds.size()], seeds[random() % seeds.size()], &random));
  }
}

TEST(MutationTest, Pictures) {
  const std::string_view kinds("\0\1\2", 3);
  const Image image = Sample();
  const std::vector<uint8_t> grey(40 * 24, 90);
  Fuzz(DecodePicture,
       {kinds[0] + EncodePng(image).value(), kinds[0] + PngOf(40, 24, PNG_FORMAT_GRAY, grey.data()),
        kinds[1] + JpegOf(image), kinds[1] + CmykJpegOf(image), kinds[2] + WebpOf(image, 100),
        kinds[2] + AnimatedWebp()},
       1500);
}

TEST(MutationTest, Recordings) {
  Fuzz(ReadRecording,
       {EncodeWav(Voice(100, 16'000), 16'000).value(), EncodeWav(Voice(20, 48'000), 48'000).value()}, 1500);
}

TEST(MutationTest, OpusPackets) {
  auto encoder = OpusPacketEncoder::Create({.sample_rate = 48'000});
  ASSERT_TRUE(encoder.ok());
  const std::vector<float> voice = Voice(200, 48'000);
  std::string stream;
  for (size_t begin = 0; begin + 960 <= voice.size(); begin += 960) {
    const std::string packet = encoder->Encode(std::span(voice).subspan(begin, 960)).value();
    stream += static_cast<char>(packet.size()) + packet;
  }
  Fuzz(DecodeOpusPackets, {stream}, 1500);
}

// Operations by number: opus_stream_target.cc.
TEST(MutationTest, NumberedOpusPackets) {
  const std::vector<float> voice = Voice(400, 24'000);
  std::vector<std::string> streams;
  for (const int expected_loss : {0, 20}) {
    OpusPacketEncoder encoder =
        OpusPacketEncoder::Create({.sample_rate = 24'000, .expected_loss_percent = expected_loss}).value();
    std::string in_order, with_losses;
    for (size_t begin = 0; begin + 480 <= voice.size(); begin += 480) {
      const std::string packet = encoder.Encode(std::span(voice).subspan(begin, 480)).value();
      const std::string record = "\x14" + std::string(1, static_cast<char>(packet.size())) + packet;
      in_order += std::string("\0\1", 2) + record;
      // One ahead and one back, a gap of 3, and 12 lost.
      const char steps[] = {2, -1, 2, 1, 4, 1, 13, 1};
      with_losses += '\0' + std::string(1, steps[begin / 480 % sizeof steps]) + record;
    }
    streams.push_back(in_order);
    streams.push_back(with_losses + std::string("\2\0\xff\0\3\0\0\0", 8) + in_order);
    streams.push_back(with_losses.substr(0, 1500) + "\1" + in_order.substr(1) + with_losses);
  }
  Fuzz(DecodeOpusStream, streams, 1500);
}

TEST(MutationTest, GenerateRequests) {
  v1::GenerateRequest request;
  request.add_parts()->set_text("hello");
  v1::AudioPart* wav = request.add_parts()->mutable_audio();
  wav->set_data(EncodeWav(Voice(60, 8'000), 8'000).value());
  wav->set_media_type("audio/wav");
  v1::GenerateRequest other = request;
  v1::AudioPart* pcm = request.add_parts()->mutable_audio();
  pcm->set_data(EncodePcm16(Voice(60, 24'000)));
  pcm->set_media_type("audio/pcm");
  pcm->set_sample_rate(24'000);
  v1::ImagePart* image = other.add_parts()->mutable_image();
  image->set_data(EncodePng(Sample(8, 8)).value());
  image->set_media_type("image/png");
  other.mutable_sampling()->set_top_p(0.5f);
  Fuzz(ReadGenerateRequest, {request.SerializeAsString(), other.SerializeAsString()}, 1500);
}

// Damage is found by a record's checksum nearly always, so most inputs are whole records of damaged contents.
TEST(MutationTest, RecordedSessions) {
  const std::vector<float> sound(16, 0.25f);
  const std::vector<RecordedOperation> operations = {
      RecordedSampling{{.temperature = 0.5f, .top_k = 7, .seed = 9}},
      RecordedInputs{.position = 0,
                     .positions = {{.symbol = 2}, {.symbol = 4, .heard = {5, 6}, .spoken = {7, 8}}}},
      RecordedFrame{.position = 2, .first = true, .samples = sound, .codes = {1, 2}, .symbol = 11},
      RecordedStand{
          .stream = {.phase = StreamState::Phase::kAnswering, .next_symbol = 5, .next_spoken = {1, 2}},
          .answer = {8, 9},
          .manner = {}},
      RecordedAnswer{.position = 3, .symbol = 12, .codes = {40, 0}},
      RecordedCut{2},
      RecordedGap{.first = 0, .rows = 1}};
  const std::string head = WriteRecordingHead({RecordingModel(), WeightFormat::kAsStored, "avx2"});
  std::string all = head;
  std::vector<std::string> bodies;
  for (const RecordedOperation& operation : operations) {
    const std::string record = WriteRecord(operation);
    all += record;
    bodies.push_back(record.substr(0, record.size() - 4));  // kind, size and what it says
  }
  all += WriteRecord(RecordedEnd{});
  Fuzz(ReadRecordedSession, {all, head}, 1500);
  const auto sealed = [&](std::string_view bytes) {
    std::string record = std::string(bytes.substr(0, 1)) + std::string(4, '\0');
    record += bytes.size() > 5 ? bytes.substr(5) : "";
    for (size_t i = 0; i < 4; ++i) record[1 + i] = static_cast<char>((record.size() - 5) >> (8 * i) & 0xff);
    const uLong sum =
        crc32(0, reinterpret_cast<const Bytef*>(record.data()), static_cast<uInt>(record.size()));
    for (size_t i = 0; i < 4; ++i) record += static_cast<char>(sum >> (8 * i) & 0xff);
    ReadRecordedSession(head + record);
  };
  Fuzz(
      [&](std::string_view bytes) {
        if (!bytes.empty()) sealed(bytes);
      },
      bodies, 5000);
}

std::string Record(int operation, const std::string& bytes) {
  return std::string{static_cast<char>(operation), static_cast<char>(bytes.size() & 0xff),
                     static_cast<char>(bytes.size() >> 8)} +
         bytes;
}

std::string ClientRecord(const std::function<void(v1::ClientEvent*)>& fill) {
  v1::ClientEvent event;
  fill(&event);
  return Record(0, event.SerializeAsString());
}

// Operations by number: client_event_target.cc.
TEST(MutationTest, ClientEvents) {
  const std::string commit = ClientRecord([](auto* e) { e->mutable_commit(); });
  const std::string cancel = ClientRecord([](auto* e) { e->mutable_cancel(); });
  const std::string clear = ClientRecord([](auto* e) { e->mutable_clear(); });
  const std::string text = ClientRecord([](auto* e) { e->mutable_text_append()->set_text("hello"); });
  const std::string picture = ClientRecord([](auto* e) {
    e->set_event_id("picture");
    e->mutable_image_append()->set_data(EncodePng(Sample(8, 8)).value());
    e->mutable_image_append()->set_media_type("image/png");
  });
  const std::string frame = ClientRecord([](auto* e) {
    e->mutable_video_frame()->set_data(EncodePng(Sample(8, 8)).value());
    e->mutable_video_frame()->set_media_type("image/png");
  });
  const std::string settings = ClientRecord([](auto* e) {
    auto* config = e->mutable_session_update()->mutable_config();
    config->add_output_modalities(v1::MODALITY_IMAGE);
    config->mutable_input_audio()->set_sample_rate(16'000);
    config->mutable_output_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
    config->mutable_sampling()->set_top_p(0.5f);
    config->set_max_video_frames(3);
    config->mutable_turn_detection()->set_mode(v1::TurnDetection::MODE_SERVER_VAD);
    config->mutable_turn_detection()->set_silence_duration_ms(200);
    config->mutable_turn_detection()->set_prefix_padding_ms(1000);
  });
  const std::string silence =
      ClientRecord([](auto* e) { e->mutable_audio_append()->set_audio(std::string(28'800, '\0')); });
  std::string speech;
  const std::vector<float> voice = Voice(600, 24'000);
  for (size_t begin = 0; begin + 2400 <= voice.size(); begin += 2400) {
    const std::string pcm = EncodePcm16(std::span(voice).subspan(begin, 2400));
    speech += ClientRecord([&](auto* e) { e->mutable_audio_append()->set_audio(pcm); }) + Record(1, "\x0a") +
              Record(2, "");
  }
  std::string relayed = ClientRecord([](auto* e) {
    auto* format = e->mutable_session_update()->mutable_config()->mutable_input_audio();
    format->set_encoding(v1::AUDIO_ENCODING_OPUS);
  });
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({.expected_loss_percent = 20}).value();
  for (uint32_t i = 0; 480 * (i + 1) <= voice.size(); ++i) {
    const std::string packet = encoder.Encode(std::span(voice).subspan(480 * i, 480)).value();
    if (i % 6 == 5) continue;
    relayed += ClientRecord([&](auto* e) {
                 e->mutable_audio_append()->set_audio(packet);
                 e->mutable_audio_append()->set_packet_number(i % 4 == 0 ? i + 1 : i % 4 == 1 ? i - 1 : i);
               }) +
               Record(1, "\x02") + Record(2, "");
  }
  const std::string drawing = Record(7, "") + Record(7, "") + Record(8, "") + Record(7, "") +
                              Record(6, "\x10") + Record(7, "") + Record(7, "");
  const std::string end(1, '\0');
  const std::string functions = ClientRecord([](auto* e) {
    auto* list = e->mutable_session_update()->mutable_config()->mutable_functions();
    list->add_functions()->set_name("aaaa");
    list->mutable_functions(0)->set_parameters(R"({"properties":{"b":{"type":"integer"}},"required":["b"]})");
  });
  const std::string output = ClientRecord([](auto* e) {
    e->mutable_function_call_output()->set_call_id("call-1");
    e->mutable_function_call_output()->set_output("{}");
  });
  // Calls "aaaa {{".
  const std::string call = Record(11, "\x0d") + Record(11, "\x01") + Record(11, "\x02");
  Fuzz(HandleClientEvents,
       {text + picture + commit + Record(4, "\x01") + Record(5, "hi") + drawing + Record(10, end) + text +
            clear,
        settings + frame + frame + picture + frame + picture + commit + cancel + Record(4, "\x01") + drawing +
            Record(10, end) + speech + silence + settings + speech + silence,
        frame + speech + picture + frame + Record(4, end) + frame + Record(6, "\x10") + cancel + speech +
            Record(10, end) + commit,
        functions + text + commit + Record(4, "\x01") + call + output + Record(10, end) + Record(4, "\x01") +
            Record(10, end) + output + functions + clear,
        relayed + commit + Record(4, "\x01") + relayed + cancel + Record(10, end) + clear,
        speech + Record(3, "") + text + Record(1, "\xff") + commit + Record(4, "\x01") + drawing + cancel},
       400);
}

}  // namespace
}  // namespace antiphon::fuzz
