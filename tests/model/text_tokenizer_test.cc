#include "model/text_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/utf8.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kGolden = ANTIPHON_SOURCE_DIR "/tests/golden/";
constexpr SymbolIds kIds = {
    .vocab_size = 0, .text_pieces = 0, .pad = 0, .unk = 1, .bos = 2, .end = 3, .user = 4, .assistant = 5};

SymbolIds Ids(int64_t vocab_size) {
  SymbolIds ids = kIds;
  ids.vocab_size = vocab_size + 3;  // symbols that are no pieces may follow
  ids.text_pieces = vocab_size;
  return ids;
}

TextTokenizer Load(const std::string& name) {
  const int64_t size = name.starts_with("tiny") ? 64 : 300;
  Result<TextTokenizer> tokenizer = TextTokenizer::Load(kGolden + name, Ids(size));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  return std::move(tokenizer).value();
}

// tests/golden/make_tokenizer_golden.py recorded what SentencePiece itself does.
TEST(TextTokenizer, EncodesAsSentencePieceDoes) {
  std::ifstream in(kGolden + "tokenizer.json");
  const json golden = json::parse(in);
  int compared = 0;
  for (const auto& [model, cases] : golden.items()) {
    const TextTokenizer tokenizer = Load(model);
    for (const json& entry : cases) {
      const auto text = entry["text"].get<std::string>();
      const auto decoded = entry["decoded"].get<std::string>();
      const Result<std::vector<int64_t>> pieces = tokenizer.Encode(text);
      if (decoded.empty()) {
        EXPECT_EQ(pieces.status().code(), StatusCode::kInvalidArgument) << text;
        continue;
      }
      ASSERT_TRUE(pieces.ok()) << text << ": " << pieces.status().ToString();
      EXPECT_EQ(*pieces, entry["pieces"].get<std::vector<int64_t>>()) << model << ": " << text;
      EXPECT_EQ(tokenizer.Decode(*pieces), decoded) << model << ": " << text;
      ++compared;
    }
  }
  EXPECT_GT(compared, 250);
}

TEST(TextTokenizer, WritesWrensAnswersAsTheTrainerReadsThem) {
  const Result<TextTokenizer> tokenizer =
      TextTokenizer::Load(ANTIPHON_SOURCE_DIR "/models/wren/tokenizer.model", Ids(1536));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  std::ifstream in(kGolden + "language_model.json");
  const json golden = json::parse(in);
  for (const json& conversation : golden["conversations"]) {
    for (const json& turn : conversation["turns"]) {
      const auto pieces = turn["answer_pieces"].get<std::vector<int64_t>>();
      EXPECT_EQ(tokenizer->Decode(pieces), turn["answer"].get<std::string>());
    }
  }
}

// A call of a function reaches the client as the model meant it.
TEST(TextTokenizer, WrensPiecesSpellJson) {
  const Result<TextTokenizer> tokenizer =
      TextTokenizer::Load(ANTIPHON_SOURCE_DIR "/models/wren/tokenizer.model", Ids(1536));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  for (const char* const text :
       {R"(set_timer {"minutes":5})", R"(switch_light {"room":"living room","state":"on"})",
        R"(f_2 {"a":[1,-2.5,true,null],"b":{"c":"don't \"stop\""}})", "set_timer minutes , get_weather city",
        R"({"error":"no such city: 50%"})"}) {
    const Result<std::vector<int64_t>> pieces = tokenizer->Encode(text);
    ASSERT_TRUE(pieces.ok()) << text;
    EXPECT_EQ(tokenizer->Decode(*pieces), text);
  }
}

TEST(TextTokenizer, NeverYieldsAControlSymbol) {
  const TextTokenizer tokenizer = Load("tokenizer_unicode.model");
  const Result<std::vector<int64_t>> pieces = tokenizer.Encode("<user><assistant> <pad> <end> <bos> <unk>");
  ASSERT_TRUE(pieces.ok());
  for (const int64_t piece : *pieces) EXPECT_TRUE(tokenizer.is_text(piece)) << piece;
  for (int64_t control = 0; control < 6; ++control) EXPECT_FALSE(tokenizer.is_text(control));
  EXPECT_FALSE(tokenizer.is_text(-1));
  EXPECT_FALSE(tokenizer.is_text(300));
}

TEST(TextTokenizer, RefusesTextItCannotWrite) {
  const TextTokenizer tokenizer = Load("tiny_model/tokenizer.model");
  for (const std::string& text : {std::string(), std::string("   "), std::string("\xff"),
                                  std::string("a\xc3"), std::string("\xed\xa0\x80"), std::string("日本")}) {
    EXPECT_EQ(tokenizer.Encode(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(TextTokenizer, DeltasJoinToTheText) {
  const TextTokenizer tokenizer = Load("tokenizer_unicode.model");
  const std::string text = "what is two plus three? naïve café";
  const std::vector<int64_t> pieces = *tokenizer.Encode(text);
  TextDecoder decoder;
  std::string joined;
  for (const int64_t piece : pieces) {
    const std::string delta = decoder.Append(tokenizer, piece);
    EXPECT_TRUE(IsUtf8(delta));
    EXPECT_FALSE(delta.ends_with(' ')) << "a space waits for its word";
    joined += delta;
    EXPECT_EQ(decoder.Append(tokenizer, kIds.pad), "") << "control symbols say nothing";
  }
  EXPECT_EQ(joined, text);
}

TEST(TextTokenizer, DecodersAreValues) {
  const TextTokenizer tokenizer = Load("tokenizer_unicode.model");
  const std::vector<int64_t> pieces = *tokenizer.Encode("hello to me");
  TextDecoder decoder;
  decoder.Append(tokenizer, pieces[0]);
  TextDecoder copy = decoder;
  EXPECT_EQ(decoder.Append(tokenizer, pieces[1]), copy.Append(tokenizer, pieces[1]));
}

TEST(TextTokenizer, BrokenFilesAreRefused) {
  EXPECT_EQ(TextTokenizer::Load("/no/such/file", Ids(64)).status().code(), StatusCode::kNotFound);
  const Status wrong_size = TextTokenizer::Load(kGolden + "tiny_model/tokenizer.model", Ids(65)).status();
  EXPECT_EQ(wrong_size.code(), StatusCode::kDataLoss);
  EXPECT_THAT(wrong_size.message(), HasSubstr("64 pieces"));
  SymbolIds swapped = Ids(64);
  swapped.assistant = 9;
  EXPECT_EQ(TextTokenizer::Load(kGolden + "tiny_model/tokenizer.model", swapped).status().code(),
            StatusCode::kDataLoss);
}

// Cut off anywhere, or with any byte changed, a file is refused or gives a tokenizer that stays within its
// bounds.
TEST(TextTokenizer, HostileFilesDoNoHarm) {
  std::ifstream in(kGolden + "tiny_model/tokenizer.model", std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const ScratchFolder folder;
  const auto use = [&](const std::string& bytes) {
    const Result<TextTokenizer> tokenizer =
        TextTokenizer::Load(folder.Write("tokenizer.model", bytes), Ids(64));
    if (!tokenizer.ok()) return;
    const Result<std::vector<int64_t>> pieces = tokenizer->Encode("What is ½ of TWO, café? ﬁne");
    if (!pieces.ok()) return;
    for (const int64_t piece : *pieces) EXPECT_TRUE(tokenizer->is_text(piece));
  };
  for (size_t size = 0; size < good.size(); size += 4999) use(good.substr(0, size));
  for (size_t at = 0; at < good.size(); at += at < 3000 ? 29 : 4999) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0xFF);
    use(bytes);
  }
}

TEST(Utf8, IsStrict) {
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xc0\xaf")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xe0\x80\xaf")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80")) << "surrogate";
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80")) << "beyond U+10FFFF";
  EXPECT_FALSE(IsUtf8("\x80"));
  EXPECT_FALSE(IsUtf8("\xe2\x96"));
  EXPECT_TRUE(IsUnfinishedUtf8("\xe2\x96"));
  EXPECT_FALSE(IsUnfinishedUtf8("\xe2\x41"));
  EXPECT_FALSE(IsUnfinishedUtf8(""));
}

}  // namespace
}  // namespace antiphon
