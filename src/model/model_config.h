// What a model folder's config.json says. See docs/model_format.md for the file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

// The one vocabulary: its size and the ids of the control symbols.
struct SymbolIds {
  int64_t vocab_size = 0;
  int64_t text_pieces = 0;  // ids below it that are no control symbols are text pieces
  int64_t pad = 0;
  int64_t unk = 0;
  int64_t bos = 0;
  int64_t end = 0;
  int64_t user = 0;
  int64_t assistant = 0;
};

struct TransformerShape {
  int64_t width = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_width = 0;
  int64_t mlp_width = 0;
  double rope_theta = 10000.0;  // unused by the depth decoder
  double norm_eps = 1e-5;
};

// The pictures a model reads and writes: squares of `side` pixels, as grid * grid codes. Ids are within the
// one vocabulary, at or above SymbolIds::text_pieces.
struct ImageShape {
  int64_t side = 0;  // pixels; 0: the model knows no pictures, and nothing else here means anything
  int64_t grid = 0;  // codes on a side
  int64_t codebook_size = 0;
  int64_t begin = 0;       // `<image>`
  int64_t end = 0;         // `</image>`
  int64_t first_code = 0;  // code c is the symbol first_code + c

  bool known() const { return side > 0; }
  int64_t codes() const { return grid * grid; }    // of a picture
  int64_t symbols() const { return 2 + codes(); }  // of a picture: `<image>`, its codes, `</image>`
  bool is_code(int64_t symbol) const { return symbol >= first_code && symbol < first_code + codebook_size; }
};

// The control symbols with which an answer chooses how the later ones are spoken. Ids are as those of
// pictures.
struct MannerSymbols {
  std::array<int64_t, kSpeechSpeeds> speeds = {-1, -1, -1};  // by SpeechSpeed; -1: the model has none of them
  std::array<int64_t, kSpeechVoices> voices = {-1, -1};      // by SpeechVoice

  bool known() const { return speeds[0] >= 0; }
  std::optional<SpeechSpeed> SpeedOf(int64_t symbol) const;
  std::optional<SpeechVoice> VoiceOf(int64_t symbol) const;
};

// The control symbols around what concerns the functions that a client lets the model call: their
// declaration, a call of one, and its result. Ids are as those of pictures.
struct ToolSymbols {
  int64_t tools = -1;  // `<tools>`; -1: the model knows no functions, and nothing else here means anything
  int64_t tools_end = -1;
  int64_t call = -1;
  int64_t call_end = -1;
  int64_t result = -1;
  int64_t result_end = -1;

  bool known() const { return tools >= 0; }
};

struct ModelConfig {
  std::string name;
  std::string version;
  SymbolIds symbols;
  int64_t sample_rate = 0;              // Hz
  int64_t frame_samples = 0;            // samples a frame
  std::vector<int64_t> codebook_sizes;  // one a codebook, without the end-of-audio code
  int64_t speech_lead = 0;              // positions from `<assistant>` to the first spoken frame
  int64_t max_positions = 0;
  TransformerShape backbone;
  TransformerShape depth;  // kv_heads == heads, heads * head_width == width
  float endpoint_threshold = 0.9f;
  bool word_head = false;  // it tells which word of its answer it is saying
  ImageShape image;
  MannerSymbols manner;
  ToolSymbols tools;
  int64_t max_instruction_pieces = 0;  // text behind `<bos>`; 0: the model knows no instructions
  std::string audio_codec_json;        // the "audio_codec" object, for the codec to read
  std::string image_codec_json;        // the "image_codec" object, likewise
  std::string path = "config.json";    // of the file, for messages about what is wrong with it

  int64_t codebooks() const { return static_cast<int64_t>(codebook_sizes.size()); }
  // The code of codebook 0 that ends the speech.
  int64_t end_of_audio() const { return codebook_sizes.at(0); }
};

// Reads and checks `folder`/config.json: every count positive and bounded. NOT_FOUND, DATA_LOSS naming the
// field.
Result<ModelConfig> LoadModelConfig(const std::string& folder);

}  // namespace antiphon
