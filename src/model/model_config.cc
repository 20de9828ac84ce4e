#include "model/model_config.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace antiphon {
namespace {

using nlohmann::json;

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr int kMaxNesting =
    16;  // no honest file comes near it; printing a hostile one would exhaust the stack

// Reads fields by their dotted path. The first failure is kept and makes all later reads return defaults, so
// that a list of reads needs one check at its end.
class Fields {
 public:
  explicit Fields(const json& root) : root_(root) {}

  int64_t Integer(const std::string& path, int64_t least, int64_t most) {
    const json* value = Find(path);
    if (value == nullptr) return least;
    return CheckedInteger(path, *value, least, most);
  }

  double Number(const std::string& path, double least, double most) {
    const json* value = Find(path);
    if (value == nullptr) return least;
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= least && number <= most)) {
      Fail(path + " must be a number from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return number;
  }

  std::string String(const std::string& path, size_t longest) {
    const json* value = Find(path);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get_ref<const std::string&>().empty() ||
        value->get_ref<const std::string&>().size() > longest) {
      Fail(path + " must be a string of 1 to " + std::to_string(longest) + " bytes");
      return {};
    }
    return value->get<std::string>();
  }

  std::vector<int64_t> Integers(const std::string& path, size_t most_entries, int64_t least, int64_t most) {
    const json* value = Find(path);
    if (value == nullptr) return {};
    if (!value->is_array() || value->empty() || value->size() > most_entries) {
      Fail(path + " must be a list of 1 to " + std::to_string(most_entries) + " integers");
      return {};
    }
    std::vector<int64_t> out;
    for (const json& entry : *value) out.push_back(CheckedInteger(path, entry, least, most));
    return out;
  }

  // An object as text; empty if there is none.
  std::string Object(const std::string& path) {
    const json* value = failed() ? nullptr : Lookup(path);
    if (value == nullptr) return {};
    if (!value->is_object()) {
      Fail(path + " must be an object");
      return {};
    }
    return value->dump(-1, ' ', false, json::error_handler_t::replace);
  }

  bool Has(const std::string& path) const { return Lookup(path) != nullptr; }
  void Require(bool condition, const std::string& message) {
    if (!condition) Fail(message);
  }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

 private:
  const json* Lookup(const std::string& path) const {
    const json* at = &root_;
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find('.', begin), path.size());
      if (!at->is_object()) return nullptr;
      const auto found = at->find(path.substr(begin, end - begin));
      if (found == at->end()) return nullptr;
      at = &*found;
      begin = end + 1;
    }
    return at;
  }

  const json* Find(const std::string& path) {
    if (failed()) return nullptr;
    const json* value = Lookup(path);
    if (value == nullptr) Fail(path + " is missing");
    return value;
  }

  int64_t CheckedInteger(const std::string& path, const json& value, int64_t least, int64_t most) {
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() &&
                        value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most) {
      Fail(path + " must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return value.get<int64_t>();
  }

  void Fail(std::string message) {
    if (!failed()) failure_ = std::move(message);
  }

  const json& root_;
  std::string failure_;
};

void ReadSymbols(Fields& fields, SymbolIds* symbols) {
  symbols->vocab_size = fields.Integer("symbols.vocab_size", 8, 1 << 20);
  symbols->text_pieces = symbols->vocab_size;
  if (fields.Has("symbols.text_pieces")) {
    symbols->text_pieces = fields.Integer("symbols.text_pieces", 8, symbols->vocab_size);
  }
  std::set<int64_t> used;
  const std::pair<const char*, int64_t SymbolIds::*> ids[] = {
      {"pad", &SymbolIds::pad}, {"unk", &SymbolIds::unk},   {"bos", &SymbolIds::bos},
      {"end", &SymbolIds::end}, {"user", &SymbolIds::user}, {"assistant", &SymbolIds::assistant}};
  for (const auto& [name, member] : ids) {
    const std::string path = std::string("symbols.") + name;
    symbols->*member = fields.Integer(path, 0, symbols->text_pieces - 1);
    fields.Require(used.insert(symbols->*member).second, path + " has the id of another control symbol");
  }
}

void ReadImage(Fields& fields, const SymbolIds& symbols, ImageShape* image) {
  image->side = fields.Integer("image.side", 8, 1024);
  image->grid = fields.Integer("image.grid", 1, 64);
  image->codebook_size = fields.Integer("image.codebook_size", 2, 65536);
  // The ids above the text pieces; where there are none every id is refused.
  const int64_t least = symbols.text_pieces;
  const int64_t most = symbols.vocab_size - 1;
  image->begin = fields.Integer("image.begin", least, most);
  image->end = fields.Integer("image.end", least, most);
  image->first_code = fields.Integer("image.first_code", least, most);
  fields.Require(image->side % image->grid == 0, "image.side must be a multiple of image.grid");
  fields.Require(image->first_code + image->codebook_size <= symbols.vocab_size,
                 "image.codebook_size makes codes beyond symbols.vocab_size");
  fields.Require(image->end != image->begin, "image.end has the id of image.begin");
  fields.Require(!image->is_code(image->begin), "image.begin has the id of an image code");
  fields.Require(!image->is_code(image->end), "image.end has the id of an image code");
}

void ReadManner(Fields& fields, const SymbolIds& symbols, const ImageShape& image, MannerSymbols* manner) {
  std::set<int64_t> used;
  if (image.known()) used = {image.begin, image.end};
  const auto read = [&](const char* name) {
    const std::string path = std::string("manner.") + name;
    const int64_t id = fields.Integer(path, symbols.text_pieces, symbols.vocab_size - 1);
    fields.Require(used.insert(id).second, path + " has the id of another symbol");
    fields.Require(!image.known() || !image.is_code(id), path + " has the id of an image code");
    return id;
  };
  manner->speeds = {read("speed_slow"), read("speed_normal"), read("speed_fast")};
  manner->voices = {read("voice_own"), read("voice_low")};
}

void ReadTools(Fields& fields, const ModelConfig& config, ToolSymbols* tools) {
  const ImageShape& image = config.image;
  const MannerSymbols& manner = config.manner;
  std::set<int64_t> used;
  if (image.known()) used = {image.begin, image.end};
  if (manner.known()) {
    used.insert(manner.speeds.begin(), manner.speeds.end());
    used.insert(manner.voices.begin(), manner.voices.end());
  }
  const std::pair<const char*, int64_t ToolSymbols::*> ids[] = {
      {"tools", &ToolSymbols::tools},   {"tools_end", &ToolSymbols::tools_end},
      {"call", &ToolSymbols::call},     {"call_end", &ToolSymbols::call_end},
      {"result", &ToolSymbols::result}, {"result_end", &ToolSymbols::result_end}};
  for (const auto& [name, member] : ids) {
    const std::string path = std::string("tools.") + name;
    tools->*member = fields.Integer(path, config.symbols.text_pieces, config.symbols.vocab_size - 1);
    fields.Require(used.insert(tools->*member).second, path + " has the id of another symbol");
    fields.Require(!image.known() || !image.is_code(tools->*member), path + " has the id of an image code");
  }
}

void ReadBackbone(Fields& fields, TransformerShape* shape) {
  shape->width = fields.Integer("backbone.width", 1, 16384);
  shape->layers = fields.Integer("backbone.layers", 1, 256);
  shape->heads = fields.Integer("backbone.heads", 1, 256);
  shape->kv_heads = fields.Integer("backbone.kv_heads", 1, 256);
  shape->head_width = fields.Integer("backbone.head_width", 2, 512);
  shape->mlp_width = fields.Integer("backbone.mlp_width", 1, 65536);
  shape->rope_theta = fields.Number("backbone.rope_theta", 1.0, 1e9);
  shape->norm_eps = fields.Number("backbone.norm_eps", 1e-12, 1.0);
  fields.Require(shape->heads % shape->kv_heads == 0,
                 "backbone.heads must be a multiple of backbone.kv_heads");
  fields.Require(shape->head_width % 2 == 0, "backbone.head_width must be even");
}

void ReadDepth(Fields& fields, TransformerShape* shape) {
  shape->width = fields.Integer("depth.width", 1, 16384);
  shape->layers = fields.Integer("depth.layers", 1, 64);
  shape->heads = fields.Integer("depth.heads", 1, 256);
  shape->mlp_width = fields.Integer("depth.mlp_width", 1, 65536);
  shape->norm_eps = fields.Number("depth.norm_eps", 1e-12, 1.0);
  fields.Require(shape->width % shape->heads == 0, "depth.width must be a multiple of depth.heads");
  shape->kv_heads = shape->heads;
  shape->head_width = shape->width / shape->heads;
}

Result<ModelConfig> ReadConfig(const json& root) {
  Fields fields(root);
  ModelConfig config;
  fields.Require(fields.String("format", 64) == "antiphon-model", "format must be \"antiphon-model\"");
  fields.Integer("format_version", 1, 1);
  config.name = fields.String("name", 128);
  config.version = fields.String("version", 128);
  ReadSymbols(fields, &config.symbols);
  config.sample_rate = fields.Integer("audio.sample_rate", 8000, 192000);
  config.frame_samples = fields.Integer("audio.frame_samples", 1, config.sample_rate);
  config.codebook_sizes = fields.Integers("audio.codebook_sizes", 64, 2, 65536);
  config.speech_lead = fields.Integer("stream.speech_lead", 0, 64);
  config.max_positions = fields.Integer("stream.max_positions", 16, 1 << 17);
  ReadBackbone(fields, &config.backbone);
  ReadDepth(fields, &config.depth);
  if (fields.Has("sampling.endpoint_threshold")) {
    config.endpoint_threshold = static_cast<float>(fields.Number("sampling.endpoint_threshold", 0.01, 1.0));
  }
  if (fields.Has("image")) ReadImage(fields, config.symbols, &config.image);
  if (fields.Has("manner")) ReadManner(fields, config.symbols, config.image, &config.manner);
  if (fields.Has("tools")) ReadTools(fields, config, &config.tools);
  if (fields.Has("instructions")) {
    config.max_instruction_pieces =
        fields.Integer("instructions.max_pieces", 1, std::max<int64_t>(1, config.max_positions / 2));
  }
  if (fields.Has("word_head")) {
    const int64_t pieces = fields.Integer("word_head.pieces", 1, config.symbols.vocab_size);
    fields.Require(pieces == config.symbols.text_pieces, "word_head.pieces must be symbols.text_pieces");
    config.word_head = true;
  }
  config.audio_codec_json = fields.Object("audio_codec");
  config.image_codec_json = fields.Object("image_codec");
  if (fields.failed()) return DataLoss(fields.failure());
  return config;
}

Result<std::string> ReadText(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) return NotFound(path + ": " + error.message());
  if (bytes > kMaxFileBytes) return DataLoss(path + " is larger than 1 MiB");
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  if (!in) return DataLoss(path + " cannot be read");
  return text;
}

template <typename Choice, size_t n>
std::optional<Choice> ChoiceOf(const std::array<int64_t, n>& symbols, int64_t symbol) {
  const auto found = std::ranges::find(symbols, symbol);
  if (found == symbols.end() || symbol < 0) return std::nullopt;
  return static_cast<Choice>(found - symbols.begin());
}

}  // namespace

std::optional<SpeechSpeed> MannerSymbols::SpeedOf(int64_t symbol) const {
  return ChoiceOf<SpeechSpeed>(speeds, symbol);
}

std::optional<SpeechVoice> MannerSymbols::VoiceOf(int64_t symbol) const {
  return ChoiceOf<SpeechVoice>(voices, symbol);
}

Result<ModelConfig> LoadModelConfig(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "config.json").string();
  const Result<std::string> text = ReadText(path);
  if (!text.ok()) return text.status();
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxNesting;
    return !too_deep;
  };
  const json root = json::parse(*text, watch_depth, /*allow_exceptions=*/false);
  if (too_deep || root.is_discarded() || !root.is_object()) return DataLoss(path + " is not a JSON object");
  Result<ModelConfig> config = ReadConfig(root);
  if (!config.ok()) return DataLoss(path + ": " + config.status().message());
  config->path = path;
  return config;
}

}  // namespace antiphon
