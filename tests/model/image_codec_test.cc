// The image codec in C++ against what its trainer computed: the tiny codec's golden vectors, and Wren's when
// it has any. And what a damaged model folder may ask for.
#include "model/image_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kRoot = ANTIPHON_SOURCE_DIR;
const std::string kTinyGolden = kRoot + "/tests/golden/tiny_image_codec";
const std::string kTinyWeights = kRoot + "/tests/golden/tiny_model/image_codec.safetensors";

json SectionOf(const std::string& golden) {
  std::ifstream file(golden + ".json");
  return json::parse(file);
}

// `section` is what the exporter writes: "image" and "image_codec".
ModelConfig ConfigFor(const json& section) {
  ModelConfig config;
  config.image.side = section["image"]["side"];
  config.image.grid = section["image"]["grid"];
  config.image.codebook_size = section["image"]["codebook_size"];
  config.image_codec_json = section["image_codec"].dump();
  config.path = "folder/config.json";
  return config;
}

Result<std::unique_ptr<ImageCodec>> Load(const ModelConfig& config, const std::string& weights_path) {
  const Result<Safetensors> weights = Safetensors::Open(weights_path);
  if (!weights.ok()) return weights.status();
  return ImageCodec::Load(*weights, config, at::kCPU);
}

std::unique_ptr<ImageCodec> TinyCodec() {
  return Load(ConfigFor(SectionOf(kTinyGolden)), kTinyWeights).value();
}

struct Recording {
  Image picture;
  std::vector<int> codes;
  Image made;
};

Image ImageOf(const at::Tensor& pixels) {
  const at::Tensor whole = pixels.contiguous();
  const uint8_t* first = whole.data_ptr<uint8_t>();
  return {.width = static_cast<int>(whole.size(1)),
          .height = static_cast<int>(whole.size(0)),
          .rgb = {first, first + whole.numel()}};
}

std::vector<Recording> Recordings(const std::string& golden) {
  const Safetensors file = Safetensors::Open(golden + ".safetensors").value();
  const at::Tensor pictures = file.Get("pictures").value(), made = file.Get("made").value();
  const at::Tensor codes = file.Get("codes").value();
  std::vector<Recording> recordings;
  for (int64_t i = 0; i < pictures.size(0); ++i) {
    const at::Tensor row = codes[i].contiguous();
    recordings.push_back({.picture = ImageOf(pictures[i]),
                          .codes = {row.data_ptr<int>(), row.data_ptr<int>() + row.numel()},
                          .made = ImageOf(made[i])});
  }
  return recordings;
}

int LargestDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.rgb.size(), b.rgb.size());
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

struct Codec {
  std::string folder;
  std::string golden;
};

class ImageCodecGolden : public ::testing::TestWithParam<Codec> {
 protected:
  void SetUp() override {
    const std::string folder = kRoot + "/" + GetParam().folder;
    golden_ = kRoot + "/" + GetParam().golden;
    const json section = SectionOf(golden_);
    const Result<ModelConfig> config = LoadModelConfig(folder);
    ASSERT_TRUE(config.ok()) << config.status().ToString();
    // A folder may hold the codec before its language model knows pictures.
    if (config->image.known()) {
      EXPECT_EQ(json::parse(config->image_codec_json), section["image_codec"]);
    }
    auto codec = Load(ConfigFor(section), folder + "/image_codec.safetensors");
    ASSERT_TRUE(codec.ok()) << codec.status().ToString();
    codec_ = std::move(codec).value();
  }

  std::string golden_;
  std::unique_ptr<ImageCodec> codec_;
};

TEST_P(ImageCodecGolden, EncodesAsTheTrainerDoes) {
  for (const Recording& recording : Recordings(golden_)) {
    EXPECT_EQ(codec_->Encode(recording.picture).value(), recording.codes);
  }
}

TEST_P(ImageCodecGolden, DecodesAsTheTrainerDoes) {
  for (const Recording& recording : Recordings(golden_)) {
    // A value half way between two may fall to either.
    EXPECT_LE(LargestDifference(codec_->Decode(recording.codes).value(), recording.made), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ImageCodecGolden,
                         ::testing::Values(Codec{"tests/golden/tiny_model", "tests/golden/tiny_image_codec"},
                                           Codec{"models/wren", "tests/golden/image_codec"}),
                         [](const auto& codec) {
                           return std::filesystem::path(codec.param.folder).filename().string();
                         });

TEST(ImageCodecTest, StatesItsShape) {
  const auto codec = TinyCodec();
  EXPECT_EQ(codec->side(), 24);
  EXPECT_EQ(codec->grid(), 3);
  EXPECT_EQ(codec->codebook_size(), 12);
  EXPECT_GT(codec->parameters(), 1000u);
}

TEST(ImageCodecTest, WhatIsMissingIsBlankAndTheRestIsThere) {
  const auto codec = TinyCodec();
  const Recording recording = Recordings(kTinyGolden)[0];
  const std::span<const int> codes = recording.codes;
  const auto pixel = [](const Image& image, int row, int column) {
    const uint8_t* at = image.rgb.data() + 3 * (row * image.width + column);
    return std::vector<int>{at[0], at[1], at[2]};
  };
  const Image none = codec->Decode({}).value();
  EXPECT_EQ(none.rgb, std::vector<uint8_t>(3 * 24 * 24, 128));
  const Image part = codec->Decode(codes.first(4)).value();  // a row and a cell of 8 x 8 pixels
  int painted = 0;
  for (int row = 0; row < 24; ++row) {
    for (int column = 0; column < 24; ++column) {
      const bool blank = pixel(part, row, column) == std::vector<int>{128, 128, 128};
      const bool missing = row >= 16 || (row >= 8 && column >= 8);
      if (missing) {
        ASSERT_TRUE(blank) << row << ", " << column;
      } else {
        painted += blank ? 0 : 1;
      }
    }
  }
  EXPECT_GT(painted, 4 * 64 / 2);
}

TEST(ImageCodecTest, RefusesWhatIsNotItsOwn) {
  const auto codec = TinyCodec();
  const std::vector<int> nine(9, 3);
  for (const int wrong : {-1, 12, 1 << 30}) {
    std::vector<int> codes = nine;
    codes[5] = wrong;
    EXPECT_EQ(codec->Decode(codes).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
  EXPECT_TRUE(codec->Decode(nine).ok());
  EXPECT_EQ(codec->Decode(std::vector<int>(10, 3)).status().code(), StatusCode::kInvalidArgument);
  const Image pictures[] = {{},
                            {.width = 24, .height = 24, .rgb = std::vector<uint8_t>(10)},
                            {.width = 23, .height = 24, .rgb = std::vector<uint8_t>(3 * 23 * 24)},
                            {.width = 48, .height = 12, .rgb = std::vector<uint8_t>(3 * 24 * 24)}};
  for (const Image& picture : pictures) {
    EXPECT_EQ(codec->Encode(picture).status().code(), StatusCode::kInvalidArgument) << picture.width;
  }
}

TEST(ImageCodecTest, ManyThreadsGetTheSame) {
  const auto codec = TinyCodec();
  const std::vector<Recording> recordings = Recordings(kTinyGolden);
  std::vector<Image> alone;
  for (const Recording& recording : recordings) alone.push_back(codec->Decode(recording.codes).value());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const size_t mine = i % recordings.size();
      for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(codec->Encode(recordings[mine].picture).value(), recordings[mine].codes);
        EXPECT_EQ(codec->Decode(recordings[mine].codes).value(), alone[mine]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A path of the exported section, the value put there, and what the message must name.
struct Breakage {
  std::string path;
  json value;
  std::string named;
};

TEST(ImageCodecTest, NamesTheFileAndTheFieldThatIsWrong) {
  const json conv = {{"kind", "conv"}, {"inputs", 3},   {"outputs", 3}, {"kernel", 3},
                     {"stride", 1},    {"activate", 0}, {"shuffle", 1}};
  const Breakage breakages[] = {
      {"/image_codec/type", "gan", "type"},
      {"/image_codec/type", nullptr, "type"},
      {"/image_codec/vector_size", 0, "vector_size"},
      {"/image_codec/vector_size", 1e9, "vector_size"},
      {"/image_codec/vector_size", 6, "encoder"},
      {"/image_codec/patch", 0, "patch"},
      {"/image_codec/patch", 5, "patch"},
      {"/image_codec/slope", 1.5, "slope"},
      {"/image_codec/encoder", nullptr, "encoder"},
      {"/image_codec/encoder", json::array(), "encoder"},
      {"/image_codec/encoder", json(std::vector<json>(65, conv)), "encoder"},
      {"/image_codec/encoder/0", 3, "encoder"},
      {"/image_codec/encoder/0/kind", "dense", "encoder.0.kind"},
      {"/image_codec/encoder/0/kind", 7, "encoder.0.kind"},
      {"/image_codec/encoder/0/inputs", 5000, "encoder.0.inputs"},
      {"/image_codec/encoder/0/outputs", 0, "encoder.0.outputs"},
      {"/image_codec/encoder/0/kernel", 9, "encoder.0.kernel"},
      {"/image_codec/encoder/0/kernel", 2, "encoder.0.kernel"},
      {"/image_codec/encoder/0/stride", 2, "encoder.0.stride"},
      {"/image_codec/encoder/0/activate", 2, "encoder.0.activate"},
      {"/image_codec/encoder/0/shuffle", 9, "encoder.0.shuffle"},
      {"/image_codec/encoder/0/kernel", "one", "encoder.0.kernel"},
      {"/image_codec/encoder/2/stride", 4, "encoder.2.stride"},
      {"/image_codec/encoder/3/inputs", 13, "encoder.3"},
      {"/image_codec/encoder/1/channels", 9, "encoder.1.inner.conv.weight"},
      {"/image_codec/decoder/1/shuffle", 1, "decoder.1.conv.weight"},
      {"/image_codec/decoder/4/outputs", 4, "decoder.4.conv.weight"},
      {"/image/side", 48, "encoder"},
      {"/image/grid", 6, "encoder"},
      {"/image/codebook_size", 13, "codebook"},
  };
  for (const Breakage& breakage : breakages) {
    json section = SectionOf(kTinyGolden);
    section[json::json_pointer(breakage.path)] = breakage.value;
    const Status status = Load(ConfigFor(section), kTinyWeights).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << breakage.path << " = " << breakage.value;
    EXPECT_THAT(status.message(), HasSubstr(breakage.named)) << breakage.path << " = " << breakage.value;
    const bool names_file = status.message().starts_with("folder/config.json: image_codec.") ||
                            status.message().find(kTinyWeights) != std::string::npos;
    EXPECT_TRUE(names_file) << status.message();
  }
}

TEST(ImageCodecTest, RefusesAModelWithoutACodec) {
  for (const std::string text : {"", "[]", "{", "{}"}) {
    ModelConfig config = ConfigFor(SectionOf(kTinyGolden));
    config.image_codec_json = text;
    const Status status = Load(config, kTinyWeights).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << text;
    EXPECT_THAT(status.message(), HasSubstr("folder/config.json: image_codec")) << text;
  }
}

TEST(ImageCodecTest, RefusesTheWeightsOfSomethingElse) {
  const Status status =
      Load(ConfigFor(SectionOf(kTinyGolden)), kRoot + "/tests/golden/tiny_model/backbone.safetensors")
          .status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("encoder.0.conv.weight"));
}

}  // namespace
}  // namespace antiphon
