#include "model/text_tokenizer.h"

#include <utility>

#include "model/utf8.h"

namespace antiphon {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";    // U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string WithSpaces(std::string text) {
  for (size_t at = text.find(kSpaceMark); at != std::string::npos; at = text.find(kSpaceMark, at)) {
    text.replace(at, kSpaceMark.size(), " ");
  }
  return text;
}

std::string TextOf(const SentencePieceFile::Piece& piece) {
  switch (piece.type) {
    case SentencePieceFile::Type::kNormal:
      return WithSpaces(piece.text);
    case SentencePieceFile::Type::kByte:
      return std::string(1, static_cast<char>(ByteOf(piece.text).value_or(0)));
    default:
      return {};
  }
}

// What is wrong with the pieces at the ids of the control symbols; empty: nothing. A piece without text is
// not enough: the encoder must never write one of them.
std::string ControlFault(const std::vector<SentencePieceFile::Piece>& pieces, const SymbolIds& symbols) {
  const std::pair<const char*, int64_t> controls[] = {
      {"pad", symbols.pad}, {"unk", symbols.unk},   {"bos", symbols.bos},
      {"end", symbols.end}, {"user", symbols.user}, {"assistant", symbols.assistant}};
  for (const auto& [name, id] : controls) {
    const SentencePieceFile::Type type = pieces.at(static_cast<size_t>(id)).type;
    if (type == SentencePieceFile::Type::kControl || type == SentencePieceFile::Type::kUnknown) continue;
    return "piece " + std::to_string(id) + " must be a control symbol: it is symbols." + name +
           " of config.json";
  }
  return "";
}

}  // namespace

TextTokenizer::TextTokenizer(TextNormalizer normalizer, BytePairEncoder encoder,
                             std::vector<std::string> texts)
    : normalizer_(std::move(normalizer)), encoder_(std::move(encoder)), texts_(std::move(texts)) {}

Result<TextTokenizer> TextTokenizer::Load(const std::string& path, const SymbolIds& symbols) {
  const Result<SentencePieceFile> file = ReadSentencePieceFile(path);
  if (!file.ok()) return file.status();
  if (static_cast<int64_t>(file->pieces.size()) != symbols.text_pieces) {
    return DataLoss(path + " has " + std::to_string(file->pieces.size()) + " pieces, config.json says " +
                    std::to_string(symbols.text_pieces));
  }
  if (const std::string fault = ControlFault(file->pieces, symbols); !fault.empty()) {
    return DataLoss(path + ": " + fault);
  }
  std::vector<std::string> texts;
  for (const SentencePieceFile::Piece& piece : file->pieces) texts.push_back(TextOf(piece));
  Result<TextNormalizer> normalizer = TextNormalizer::Create(*file);
  if (!normalizer.ok()) return DataLoss(path + ": " + normalizer.status().message());
  return TextTokenizer(std::move(normalizer).value(), BytePairEncoder(file->pieces), std::move(texts));
}

bool TextTokenizer::is_text(int64_t symbol) const {
  return symbol >= 0 && symbol < vocab_size() && !texts_[symbol].empty();
}

Result<std::vector<int64_t>> TextTokenizer::Encode(std::string_view text) const {
  if (!IsUtf8(text)) return InvalidArgument("text is not UTF-8");
  std::vector<int64_t> pieces = encoder_.Encode(normalizer_.Normalize(text));
  if (Decode(pieces).empty()) return InvalidArgument("text holds nothing that can be written in pieces");
  return pieces;
}

std::string TextTokenizer::Decode(const std::vector<int64_t>& pieces) const {
  TextDecoder decoder;
  std::string text;
  for (const int64_t piece : pieces) text += decoder.Append(*this, piece);
  return text;
}

std::string TextDecoder::Append(const TextTokenizer& tokenizer, int64_t piece) {
  if (!tokenizer.is_text(piece)) return {};
  state_.partial += tokenizer.text(piece);
  std::string out;
  std::string_view rest = state_.partial;
  while (!rest.empty() && !IsUnfinishedUtf8(rest)) {
    const size_t bytes = Utf8CharacterBytes(rest);
    if (rest[0] == ' ') {
      state_.space_pending = true;
    } else {
      if (state_.space_pending && state_.started) out += ' ';
      out += bytes > 0 ? rest.substr(0, bytes) : kReplacement;  // byte pieces can spell nonsense
      state_.started = true;
      state_.space_pending = false;
    }
    rest.remove_prefix(bytes > 0 ? bytes : 1);
  }
  state_.partial = std::string(rest);
  return out;
}

}  // namespace antiphon
