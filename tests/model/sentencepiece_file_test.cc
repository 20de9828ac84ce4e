// tokenizer.model files made by hand: what is read, and what is refused.
#include "model/sentencepiece_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "model/text_tokenizer.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using Piece = SentencePieceFile::Piece;
using Type = SentencePieceFile::Type;
using ::testing::HasSubstr;

const std::string kSpaceMark = "\xE2\x96\x81";
constexpr int64_t kUser = 4;
constexpr size_t kFirstByte = 6;

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string Integer(uint64_t field, uint64_t value) { return Varint(field << 3) + Varint(value); }
std::string Bytes(uint64_t field, const std::string& bytes) {
  return Varint(field << 3 | 2) + Varint(bytes.size()) + bytes;
}
std::string Float(uint64_t field, float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return Varint(field << 3 | 5) + bytes;
}

// As SentencePiece writes a BPE model.
std::string Written(const std::vector<Piece>& pieces) {
  std::string file;
  for (const Piece& piece : pieces) {
    file += Bytes(
        1, Bytes(1, piece.text) + Float(2, piece.score) + Integer(3, static_cast<uint64_t>(piece.type)));
  }
  return file + Bytes(2, Integer(3, 2));
}

std::string ByteName(int byte) {
  char name[16];
  std::snprintf(name, sizeof name, "<0x%02X>", byte);
  return name;
}

// The control symbols, the bytes from 0xFF down, and two pieces of text.
std::vector<Piece> GoodPieces() {
  std::vector<Piece> pieces;
  for (const char* control : {"<pad>", "<unk>", "<bos>", "<end>", "<user>", "<assistant>"}) {
    pieces.push_back({control, 0.0f, pieces.size() == 1 ? Type::kUnknown : Type::kControl});
  }
  for (int byte = 255; byte >= 0; --byte) pieces.push_back({ByteName(byte), 0.0f, Type::kByte});
  pieces.push_back({kSpaceMark, -1.0f, Type::kNormal});
  pieces.push_back({"a", -2.0f, Type::kNormal});
  return pieces;
}

Result<TextTokenizer> Load(const std::string& bytes, size_t pieces) {
  const ScratchFolder folder;
  const SymbolIds ids = {.vocab_size = static_cast<int64_t>(pieces),
                         .text_pieces = static_cast<int64_t>(pieces),
                         .pad = 0,
                         .unk = 1,
                         .bos = 2,
                         .end = 3,
                         .user = kUser,
                         .assistant = 5};
  return TextTokenizer::Load(folder.Write("tokenizer.model", bytes), ids);
}
Result<TextTokenizer> Load(const std::vector<Piece>& pieces) { return Load(Written(pieces), pieces.size()); }

void ExpectRefused(const std::vector<Piece>& pieces, const std::string& part) {
  const Status status = Load(pieces).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << part;
  EXPECT_THAT(status.message(), HasSubstr("tokenizer.model"));
  EXPECT_THAT(status.message(), HasSubstr(part));
}

TEST(SentencePieceFile, BytePiecesStandForTheirBytesInAnyOrder) {
  const Result<TextTokenizer> tokenizer = Load(GoodPieces());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const Result<std::vector<int64_t>> pieces = tokenizer->Encode("a\xc3\xa9");
  ASSERT_TRUE(pieces.ok());
  const auto byte = [](int value) { return static_cast<int64_t>(kFirstByte) + 255 - value; };
  EXPECT_EQ(*pieces, (std::vector<int64_t>{262, 263, byte(0xC3), byte(0xA9)}));
  EXPECT_EQ(tokenizer->Decode(*pieces), "a\xc3\xa9");
}

// Neither a piece without text nor one with text may stand where a control symbol has to be: a user's text
// could be encoded as that symbol.
TEST(SentencePieceFile, OnlyAControlSymbolStandsWhereOneHasToBe) {
  for (const Type type : {Type::kNormal, Type::kUnused}) {
    std::vector<Piece> pieces = GoodPieces();
    pieces[kUser].type = type;
    ExpectRefused(pieces, "piece 4 must be a control symbol: it is symbols.user of config.json");
  }
  // A byte that is spelled as none has no text, and yet would be the byte 0xFF.
  std::vector<Piece> pieces = GoodPieces();
  pieces[kUser] = {"<0xff>", 0.0f, Type::kByte};
  pieces[kFirstByte] = {"x", -3.0f, Type::kNormal};
  ExpectRefused(pieces, "piece 4 is to be a byte");
  pieces[kUser].text = "<0xFF>";
  ExpectRefused(pieces, "piece 4 must be a control symbol");
}

TEST(SentencePieceFile, BrokenPiecesAreNamed) {
  const auto with = [](const Piece& piece) {
    std::vector<Piece> pieces = GoodPieces();
    pieces.back() = piece;
    return pieces;
  };
  ExpectRefused(with({"", 0.0f, Type::kNormal}), "piece 263 is not UTF-8 text");
  ExpectRefused(with({"\xff", 0.0f, Type::kNormal}), "piece 263 is not UTF-8 text");
  ExpectRefused(with({std::string(257, 'a'), 0.0f, Type::kNormal}), "piece 263 is longer than 256 bytes");
  ExpectRefused(with({kSpaceMark, 0.0f, Type::kNormal}), "piece 263 is there twice");
  ExpectRefused(with({"<0x41>", 0.0f, Type::kByte}), "piece 263 is there twice");
  ExpectRefused(with({"<0x4>", 0.0f, Type::kByte}), "piece 263 is to be a byte");
  ExpectRefused(with({"a", 0.0f, Type::kUserDefined}), "piece 263 is user-defined");
  ExpectRefused(with({"a", std::numeric_limits<float>::quiet_NaN(), Type::kNormal}), "piece 263 has a score");
  ExpectRefused(with({"a", std::numeric_limits<float>::infinity(), Type::kNormal}), "piece 263 has a score");
  ExpectRefused(with({"a", 0.0f, static_cast<Type>(7)}), "piece 263 is malformed");
}

TEST(SentencePieceFile, BytesAreAllThereOrNone) {
  std::vector<Piece> pieces = GoodPieces();
  pieces[kFirstByte] = {"x", -3.0f, Type::kNormal};
  ExpectRefused(pieces, "255 bytes");
  pieces.erase(pieces.begin() + kFirstByte, pieces.begin() + kFirstByte + 256);
  EXPECT_TRUE(Load(pieces).ok());
}

// Four bytes a piece: a small file must not become a large vocabulary.
TEST(SentencePieceFile, PiecesAreBounded) {
  const size_t count = (1 << 20) + 1;
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += Bytes(1, Integer(3, static_cast<uint64_t>(Type::kUnused)));
  const Status status = Load(bytes, count).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("more than 1048576 pieces"));
}

TEST(SentencePieceFile, FieldNumbersAreNotCutShort) {
  // Field 2^32 + 1 would be field 1, a piece, in 32 bits; field 0 does not exist.
  for (const uint64_t field : {(uint64_t{1} << 32) + 1, uint64_t{0}}) {
    const std::vector<Piece> pieces = GoodPieces();
    const Status status = Load(Written(pieces) + Bytes(field, Bytes(1, "b")), pieces.size() + 1).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("not a SentencePiece model"));
  }
}

}  // namespace
}  // namespace antiphon
