#include "model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kTinyModel = ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model";

json TinyConfig() {
  std::ifstream in(kTinyModel + "/config.json");
  return json::parse(in);
}

Result<ModelConfig> LoadText(const std::string& text) {
  const ScratchFolder folder;
  folder.Write("config.json", text);
  return LoadModelConfig(folder.path());
}

TEST(ModelConfig, ReadsEveryField) {
  const Result<ModelConfig> config = LoadModelConfig(kTinyModel);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->name, "tiny");
  EXPECT_EQ(config->symbols.vocab_size, 64);
  EXPECT_EQ(config->symbols.assistant, 5);
  EXPECT_EQ(config->sample_rate, 16000);
  EXPECT_EQ(config->frame_samples, 1280);
  EXPECT_THAT(config->codebook_sizes, ElementsAre(40, 24, 28, 20));
  EXPECT_EQ(config->end_of_audio(), 40);
  EXPECT_EQ(config->speech_lead, 2);
  EXPECT_EQ(config->backbone.kv_heads, 2);
  EXPECT_EQ(config->backbone.head_width, 12);
  EXPECT_EQ(config->depth.width, 16);
  EXPECT_EQ(config->depth.head_width, 8);
  EXPECT_EQ(config->depth.kv_heads, 2);
  EXPECT_FLOAT_EQ(config->endpoint_threshold, 0.9f);
  EXPECT_EQ(config->audio_codec_json, "");
  EXPECT_EQ(config->path, kTinyModel + "/config.json");
}

TEST(ModelConfig, HandsTheCodecItsOwnSection) {
  json config = TinyConfig();
  config["audio_codec"] = {{"kind", "x"}, {"layers", {1, 2}}};
  const Result<ModelConfig> loaded = LoadText(config.dump());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(json::parse(loaded->audio_codec_json), config["audio_codec"]);
}

TEST(ModelConfig, AMissingFolderIsNotFound) {
  EXPECT_EQ(LoadModelConfig("/no/such/folder").status().code(), StatusCode::kNotFound);
}

// A path, the value put there, and what the message must name.
struct Breakage {
  std::string path;
  json value;
  std::string named;
};

TEST(ModelConfig, EveryBrokenFieldIsNamed) {
  const Breakage breakages[] = {
      {"/format", "other", "format"},
      {"/format_version", 2, "format_version"},
      {"/name", "", "name"},
      {"/name", 7, "name"},
      {"/symbols/vocab_size", 0, "symbols.vocab_size"},
      {"/symbols/vocab_size", 1e9, "symbols.vocab_size"},
      {"/symbols/vocab_size", 64.5, "symbols.vocab_size"},
      {"/symbols/vocab_size", "64", "symbols.vocab_size"},
      {"/symbols/user", 64, "symbols.user"},
      {"/symbols/user", -1, "symbols.user"},
      {"/symbols/user", 18446744073709551615ull, "symbols.user"},
      {"/symbols/user", 5, "symbols.assistant"},
      {"/symbols", json::array(), "symbols.vocab_size"},
      {"/audio/sample_rate", 0, "audio.sample_rate"},
      {"/audio/frame_samples", 16001, "audio.frame_samples"},
      {"/audio/codebook_sizes", json::array(), "audio.codebook_sizes"},
      {"/audio/codebook_sizes", json::array({40, 0}), "audio.codebook_sizes"},
      {"/audio/codebook_sizes", json::array({40, "x"}), "audio.codebook_sizes"},
      {"/audio/codebook_sizes", json(std::vector<int>(100, 8)), "audio.codebook_sizes"},
      {"/stream/speech_lead", -1, "stream.speech_lead"},
      {"/stream/max_positions", 1 << 30, "stream.max_positions"},
      {"/backbone/width", 0, "backbone.width"},
      {"/backbone/layers", 1000, "backbone.layers"},
      {"/backbone/heads", 3, "backbone.heads"},
      {"/backbone/kv_heads", 0, "backbone.kv_heads"},
      {"/backbone/head_width", 13, "backbone.head_width"},
      {"/backbone/rope_theta", 0, "backbone.rope_theta"},
      {"/backbone/norm_eps", -1, "backbone.norm_eps"},
      {"/depth/heads", 3, "depth.width"},
      {"/depth/mlp_width", nullptr, "depth.mlp_width"},
      {"/sampling/endpoint_threshold", 1.5, "sampling.endpoint_threshold"},
      {"/audio_codec", 3, "audio_codec"},
  };
  for (const Breakage& breakage : breakages) {
    json config = TinyConfig();
    config[json::json_pointer(breakage.path)] = breakage.value;
    const Status status = LoadText(config.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << breakage.path << " = " << breakage.value;
    EXPECT_THAT(status.message(), HasSubstr(breakage.named)) << breakage.path << " = " << breakage.value;
  }
}

TEST(ModelConfig, EveryFieldIsNeeded) {
  const json whole = TinyConfig();
  for (const auto& [section, fields] : whole.items()) {
    json without_section = whole;
    without_section.erase(section);
    EXPECT_EQ(LoadText(without_section.dump()).ok(), section == "sampling") << section;
    if (!fields.is_object()) continue;
    for (const auto& [field, value] : fields.items()) {
      json without_field = whole;
      without_field[section].erase(field);
      EXPECT_EQ(LoadText(without_field.dump()).ok(), section == "sampling") << section << "." << field;
    }
  }
}

TEST(ModelConfig, GarbageIsRefused) {
  const std::string nested(100000, '[');
  const std::string deep_codec = "{\"audio_codec\":" + nested + std::string(100000, ']') + "}";
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                  nested, deep_codec, std::string("\xff\xfe"), std::string(2 << 20, ' ')}) {
    EXPECT_EQ(LoadText(text).status().code(), StatusCode::kDataLoss) << text.substr(0, 20);
  }
}

}  // namespace
}  // namespace antiphon
