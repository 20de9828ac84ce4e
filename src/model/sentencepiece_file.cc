#include "model/sentencepiece_file.h"

#include <bitset>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_set>

#include "model/utf8.h"

namespace antiphon {
namespace {

constexpr uintmax_t kMaxFileBytes = 64 << 20;
constexpr size_t kMaxPieces = 1 << 20;  // as config.json allows
constexpr size_t kMaxPieceBytes = 256;
constexpr uint64_t kMaxFieldNumber = (1 << 29) - 1;  // of protocol buffers
constexpr size_t kBytes = 256;
constexpr uint64_t kBytePairEncoding = 2;  // TrainerSpec.model_type

// One field of a protocol buffer message on the wire.
struct Field {
  uint32_t number = 0;
  uint64_t integer = 0;         // of a varint or a fixed-width field
  std::string_view bytes = {};  // of a length-delimited field
};

// Walks the fields of one message.
class Message {
 public:
  explicit Message(std::string_view data) : rest_(data) {}

  // False at the end and at the first malformed field; then `ok` tells which.
  bool Next(Field* field) {
    uint64_t tag = 0;
    if (rest_.empty() || !Varint(&tag)) return false;
    if (tag >> 3 < 1 || tag >> 3 > kMaxFieldNumber) return Broken();
    *field = {.number = static_cast<uint32_t>(tag >> 3)};
    switch (tag & 7) {
      case 0:
        return Varint(&field->integer);
      case 1:
        return Fixed(8, &field->integer);
      case 5:
        return Fixed(4, &field->integer);
      case 2: {
        uint64_t size = 0;
        if (!Varint(&size) || size > rest_.size()) return Broken();
        field->bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
      }
      default:
        return Broken();
    }
  }

  bool ok() const { return ok_; }

 private:
  bool Broken() { return ok_ = false; }

  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return Broken();
      const auto byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return Broken();
  }

  bool Fixed(size_t size, uint64_t* value) {
    if (rest_.size() < size) return Broken();
    *value = 0;
    std::memcpy(value, rest_.data(),
                size);  // little-endian on the wire and on every machine libtorch runs on
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
};

bool ReadPiece(std::string_view data, SentencePieceFile::Piece* piece) {
  Message message(data);
  Field field;
  while (message.Next(&field)) {
    if (field.number == 1) piece->text = field.bytes;
    if (field.number == 2) {
      const auto bits = static_cast<uint32_t>(field.integer);
      std::memcpy(&piece->score, &bits, sizeof bits);
    }
    if (field.number == 3) {
      if (field.integer < 1 || field.integer > 6) return false;
      piece->type = static_cast<SentencePieceFile::Type>(field.integer);
    }
  }
  return message.ok();
}

// What is wrong with a piece by itself; empty: nothing.
std::string Fault(const SentencePieceFile::Piece& piece) {
  using Type = SentencePieceFile::Type;
  if (piece.text.size() > kMaxPieceBytes)
    return "is longer than " + std::to_string(kMaxPieceBytes) + " bytes";
  if (!std::isfinite(piece.score)) return "has a score that is not finite";
  if (piece.type == Type::kUserDefined) return "is user-defined, which is not supported";
  if (piece.type == Type::kNormal && (piece.text.empty() || !IsUtf8(piece.text))) return "is not UTF-8 text";
  if (piece.type == Type::kByte && !ByteOf(piece.text)) {
    return "is to be a byte, but is not spelled <0x00> to <0xFF>";
  }
  return "";
}

// What is wrong with the pieces together.
std::string Fault(const std::vector<SentencePieceFile::Piece>& pieces) {
  std::unordered_set<std::string_view> normal;
  std::bitset<kBytes> bytes;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const SentencePieceFile::Piece& piece = pieces[id];
    bool again = false;
    if (piece.type == SentencePieceFile::Type::kNormal) again = !normal.insert(piece.text).second;
    if (piece.type == SentencePieceFile::Type::kByte) {
      const uint8_t byte = ByteOf(piece.text).value_or(0);  // it is one: see above
      again = bytes.test(byte);
      bytes.set(byte);
    }
    if (again) return "piece " + std::to_string(id) + " is there twice";
  }
  if (bytes.none() || bytes.all()) return "";
  return "has pieces for " + std::to_string(bytes.count()) + " bytes, must have all 256 or none";
}

// What is wrong with the trainer's settings; empty: nothing.
std::string ReadTrainerSpec(std::string_view data) {
  Message message(data);
  Field field;
  uint64_t model_type = 1;
  while (message.Next(&field)) {
    if (field.number == 3) model_type = field.integer;
    if (field.number == 24 && field.integer != 0) return "white space as a suffix is not supported";
  }
  if (!message.ok()) return "malformed trainer settings";
  return model_type == kBytePairEncoding ? "" : "only BPE models are supported";
}

std::string ReadNormalizerSpec(std::string_view data, SentencePieceFile* file) {
  Message message(data);
  Field field;
  while (message.Next(&field)) {
    if (field.number == 2) file->charsmap = field.bytes;
    if (field.number == 3) file->add_dummy_prefix = field.integer != 0;
    if (field.number == 4) file->remove_extra_whitespaces = field.integer != 0;
    if (field.number == 5 && field.integer == 0) return "unescaped white space is not supported";
  }
  return message.ok() ? "" : "malformed normaliser settings";
}

std::string Parse(std::string_view data, SentencePieceFile* file) {
  Message message(data);
  Field field;
  bool has_trainer = false;
  while (message.Next(&field)) {
    std::string problem;
    if (field.number == 1) {
      std::string name = "piece " + std::to_string(file->pieces.size());
      if (file->pieces.size() == kMaxPieces) return "more than " + std::to_string(kMaxPieces) + " pieces";
      SentencePieceFile::Piece piece;
      if (!ReadPiece(field.bytes, &piece)) return name + " is malformed";
      if (const std::string fault = Fault(piece); !fault.empty()) return name.append(" ").append(fault);
      file->pieces.push_back(std::move(piece));
    } else if (field.number == 2) {
      problem = ReadTrainerSpec(field.bytes);
      has_trainer = true;
    } else if (field.number == 3) {
      problem = ReadNormalizerSpec(field.bytes, file);
    }
    if (!problem.empty()) return problem;
  }
  if (!message.ok() || file->pieces.empty()) return "not a SentencePiece model";
  if (!has_trainer) return "only BPE models are supported";
  return Fault(file->pieces);
}

}  // namespace

std::optional<uint8_t> ByteOf(std::string_view piece) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const size_t high = kDigits.find(piece[3]);
  const size_t low = kDigits.find(piece[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

Result<SentencePieceFile> ReadSentencePieceFile(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) return NotFound(path + ": " + error.message());
  if (bytes > kMaxFileBytes) return DataLoss(path + " is larger than 64 MiB");
  std::string data(bytes, '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in.read(data.data(), static_cast<std::streamsize>(bytes))) return DataLoss(path + " cannot be read");
  SentencePieceFile file;
  if (const std::string problem = Parse(data, &file); !problem.empty())
    return DataLoss(path + ": " + problem);
  return file;
}

}  // namespace antiphon
