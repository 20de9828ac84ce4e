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
  EXPECT_EQ(config->symbols.vocab_size, 84);
  EXPECT_EQ(config->symbols.text_pieces, 64);
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
  EXPECT_TRUE(config->image.known());
  EXPECT_EQ(config->image.side, 24);
  EXPECT_EQ(config->image.grid, 3);
  EXPECT_EQ(config->image.codebook_size, 12);
  EXPECT_EQ(config->image.begin, 65);
  EXPECT_EQ(config->image.end, 66);
  EXPECT_EQ(config->image.first_code, 70);
  EXPECT_EQ(config->image.codes(), 9);
  EXPECT_EQ(config->image.symbols(), 11);
  EXPECT_EQ(json::parse(config->image_codec_json), TinyConfig()["image_codec"]);
  EXPECT_TRUE(config->manner.known());
  EXPECT_THAT(config->manner.speeds, ElementsAre(68, 64, 83));
  EXPECT_THAT(config->manner.voices, ElementsAre(69, 67));
  EXPECT_EQ(config->manner.SpeedOf(83), SpeechSpeed::kFast);
  EXPECT_EQ(config->manner.VoiceOf(67), SpeechVoice::kLow);
  EXPECT_EQ(config->manner.SpeedOf(67), std::nullopt);
  EXPECT_TRUE(config->word_head);
  EXPECT_EQ(config->path, kTinyModel + "/config.json");
}

TEST(ModelConfig, HandsTheCodecsTheirOwnSections) {
  json config = TinyConfig();
  config["audio_codec"] = {{"kind", "x"}, {"layers", {1, 2}}};
  config["image_codec"] = {{"type", "y"}};
  const Result<ModelConfig> loaded = LoadText(config.dump());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(json::parse(loaded->audio_codec_json), config["audio_codec"]);
  EXPECT_EQ(json::parse(loaded->image_codec_json), config["image_codec"]);
}

TEST(ModelConfig, AModelNeedNotKnowPictures) {
  json config = TinyConfig();
  config.erase("image");
  config.erase("image_codec");
  config.erase("manner");
  config["symbols"].erase("text_pieces");
  config.erase("word_head");
  const Result<ModelConfig> loaded = LoadText(config.dump());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_FALSE(loaded->image.known());
  EXPECT_EQ(loaded->image_codec_json, "");
  EXPECT_EQ(loaded->symbols.text_pieces, 84);
}

TEST(ModelConfig, AModelNeedNotChooseManners) {
  json config = TinyConfig();
  config.erase("manner");
  const Result<ModelConfig> loaded = LoadText(config.dump());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_FALSE(loaded->manner.known());
  for (int64_t symbol = -1; symbol < 84; ++symbol) {
    EXPECT_EQ(loaded->manner.SpeedOf(symbol), std::nullopt);
    EXPECT_EQ(loaded->manner.VoiceOf(symbol), std::nullopt);
  }
}

// The tiny model knows no functions.
json ConfigOfFunctions() {
  json config = TinyConfig();
  config["symbols"]["vocab_size"] = 96;
  config["tools"] = {{"tools", 84},    {"tools_end", 85}, {"call", 86},
                     {"call_end", 87}, {"result", 88},    {"result_end", 95}};
  return config;
}

TEST(ModelConfig, AModelMayKnowFunctions) {
  EXPECT_FALSE(LoadModelConfig(kTinyModel)->tools.known());
  const Result<ModelConfig> config = LoadText(ConfigOfFunctions().dump());
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_TRUE(config->tools.known());
  EXPECT_EQ(config->tools.tools, 84);
  EXPECT_EQ(config->tools.tools_end, 85);
  EXPECT_EQ(config->tools.call, 86);
  EXPECT_EQ(config->tools.call_end, 87);
  EXPECT_EQ(config->tools.result, 88);
  EXPECT_EQ(config->tools.result_end, 95);
}

TEST(ModelConfig, SymbolsOfFunctionsAreNoOthers) {
  const std::pair<const char*, json> breakages[] = {
      {"tools", 63},    {"tools", 96},  {"tools_end", 84}, {"call", 65},       {"call", 70},
      {"call_end", 83}, {"result", 69}, {"result", "88"},  {"result_end", 88}, {"result_end", -1},
  };
  for (const auto& [field, value] : breakages) {
    json config = ConfigOfFunctions();
    config["tools"][field] = value;
    const Status status = LoadText(config.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << field << " = " << value;
    // The one that is read later is named when two are the same.
    const std::string named = std::string("tools.") + field;
    EXPECT_THAT(status.message(), HasSubstr(named)) << field << " = " << value;
  }
  for (const char* field : {"tools", "tools_end", "call", "call_end", "result", "result_end"}) {
    json config = ConfigOfFunctions();
    config["tools"].erase(field);
    EXPECT_EQ(LoadText(config.dump()).status().code(), StatusCode::kDataLoss) << field;
  }
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
      {"/symbols/text_pieces", 85, "symbols.text_pieces"},
      {"/symbols/text_pieces", 7, "symbols.text_pieces"},
      {"/symbols/text_pieces", 66, "image.begin"},
      {"/symbols/text_pieces", 84, "image.begin"},
      {"/word_head/pieces", 63, "word_head.pieces"},
      {"/word_head", 64, "word_head.pieces"},
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
      {"/image_codec", json::array(), "image_codec"},
      {"/image", 3, "image.side"},
      {"/image/side", 4, "image.side"},
      {"/image/side", 1026, "image.side"},
      {"/image/side", 25, "image.side"},
      {"/image/grid", 0, "image.grid"},
      {"/image/grid", 65, "image.grid"},
      {"/image/codebook_size", 1, "image.codebook_size"},
      {"/image/codebook_size", 15, "image.codebook_size"},
      {"/image/codebook_size", 1e18, "image.codebook_size"},
      {"/image/begin", 63, "image.begin"},
      {"/image/begin", 84, "image.begin"},
      {"/image/begin", 66, "image.end"},
      {"/image/begin", 70, "image.begin"},
      {"/image/end", 81, "image.end"},
      {"/image/end", 9223372036854775807, "image.end"},
      {"/image/first_code", 63, "image.first_code"},
      {"/image/first_code", 73, "image.codebook_size"},
      {"/image/first_code", -70, "image.first_code"},
      {"/manner", 3, "manner.speed_slow"},
      {"/manner/speed_slow", 63, "manner.speed_slow"},
      {"/manner/speed_normal", 84, "manner.speed_normal"},
      {"/manner/speed_fast", 68, "manner.speed_fast"},
      {"/manner/voice_own", 65, "manner.voice_own"},
      {"/manner/voice_own", "low", "manner.voice_own"},
      {"/manner/voice_low", 70, "manner.voice_low"},
      {"/manner/voice_low", 69, "manner.voice_low"},
  };
  for (const Breakage& breakage : breakages) {
    json config = TinyConfig();
    config[json::json_pointer(breakage.path)] = breakage.value;
    const Status status = LoadText(config.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << breakage.path << " = " << breakage.value;
    EXPECT_THAT(status.message(), HasSubstr(breakage.named)) << breakage.path << " = " << breakage.value;
  }
}

TEST(ModelConfig, InstructionsAreAnAbility) {
  EXPECT_EQ(LoadText(TinyConfig().dump())->max_instruction_pieces, 0);
  json config = TinyConfig();
  const int64_t most = config["stream"]["max_positions"].get<int64_t>() / 2;
  config["instructions"] = {{"max_pieces", most}};
  EXPECT_EQ(LoadText(config.dump())->max_instruction_pieces, most);
  for (const json& wrong : {json(0), json(most + 1), json("many")}) {
    config["instructions"]["max_pieces"] = wrong;
    const Status status = LoadText(config.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("instructions.max_pieces"));
  }
}

TEST(ModelConfig, EveryFieldIsNeeded) {
  const json whole = TinyConfig();
  for (const auto& [section, fields] : whole.items()) {
    json without_section = whole;
    without_section.erase(section);
    const bool optional = section == "sampling" || section == "image_codec";
    const bool ability = section == "image" || section == "manner" || section == "word_head";
    EXPECT_EQ(LoadText(without_section.dump()).ok(), optional || ability) << section;
    if (!fields.is_object()) continue;
    for (const auto& [field, value] : fields.items()) {
      json without_field = whole;
      without_field[section].erase(field);
      EXPECT_EQ(LoadText(without_field.dump()).ok(), optional) << section << "." << field;
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
