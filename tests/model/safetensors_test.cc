#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A file of the given header and data; `header_bytes` overrides the stated length.
std::string File(const std::string& header, const std::string& data,
                 std::optional<uint64_t> header_bytes = {}) {
  const uint64_t length = header_bytes.value_or(header.size());
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

Status OpenStatus(const std::string& bytes) {
  const ScratchFolder folder;
  return Safetensors::Open(folder.Write("x.safetensors", bytes)).status();
}

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, ReadsTensorsInPlace) {
  const ScratchFolder folder;
  const float values[] = {1.5f, -2.0f, 3.0f};
  std::string data(reinterpret_cast<const char*>(values), sizeof values);
  data += std::string("\x80\x3f\x00\xc0", 4);  // bfloat16 1 and -2
  data += '\x07';
  const std::string header = R"({"__metadata__":{"made":"by hand"},"a":)" + Entry("F32", "[3,1]", "[0,12]") +
                             ",\"b\":" + Entry("BF16", "[2]", "[12,16]") +
                             ",\"c\":" + Entry("U8", "[]", "[16,17]") +
                             ",\"nothing\":" + Entry("I64", "[0,5]", "[17,17]") + "}";
  at::Tensor a;
  {
    const Result<Safetensors> file = Safetensors::Open(folder.Write("x.safetensors", File(header, data)));
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_THAT(file->names(), ElementsAre("a", "b", "c", "nothing"));
    EXPECT_EQ(file->metadata().at("made"), "by hand");
    a = *file->Get("a");
    const at::Tensor b = *file->GetFloat("b", {2});
    EXPECT_EQ(b[0].item<float>(), 1.0f);
    EXPECT_EQ(b[1].item<float>(), -2.0f);
    EXPECT_EQ(file->Get("c")->item<int64_t>(), 7);
    EXPECT_EQ(file->Get("nothing")->numel(), 0);
    file->Release();  // what is read again is there again
    EXPECT_EQ(b[1].item<float>(), -2.0f);
    EXPECT_EQ(file->Get("c")->item<int64_t>(), 7);
    EXPECT_EQ(file->Get("d").status().code(), StatusCode::kNotFound);
    const Status wrong_shape = file->GetChecked("a", {1, 3}).status();
    EXPECT_EQ(wrong_shape.code(), StatusCode::kDataLoss);
    EXPECT_THAT(wrong_shape.message(), HasSubstr("tensor a"));
  }
  // The file object is gone; the tensor keeps the mapping.
  EXPECT_EQ(a.sizes(), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(a[1][0].item<float>(), -2.0f);
}

TEST(Safetensors, ReadsWhatTheTrainerWrote) {
  const Result<Safetensors> file =
      Safetensors::Open(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/backbone.safetensors");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const Result<at::Tensor> embedding = file->GetChecked("embed.symbol", {84, 32});
  ASSERT_TRUE(embedding.ok()) << embedding.status().ToString();
  EXPECT_EQ(embedding->scalar_type(), at::kBFloat16);
}

TEST(Safetensors, AMissingFileIsNotFound) {
  EXPECT_EQ(Safetensors::Open("/no/such/file").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Safetensors::Open("/").status().code(), StatusCode::kDataLoss) << "a folder is no file";
}

TEST(Safetensors, TheEmptyHeaderIsLegal) { EXPECT_TRUE(OpenStatus(File("{}", "")).ok()); }

TEST(Safetensors, HostileFilesAreRefused) {
  const std::string four(4, '\0');
  const std::string eight(8, '\0');
  const std::string good = "{\"a\":" + Entry("F32", "[1]", "[0,4]") + "}";
  ASSERT_TRUE(OpenStatus(File(good, four)).ok());
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"a\":" + Entry(dtype, shape, offsets) + "}";
  };
  const auto two = [](const std::string& first, const std::string& second) {
    return "{\"a\":" + Entry("F32", "[1]", first) + ",\"b\":" + Entry("F32", "[1]", second) + "}";
  };
  const std::pair<const char*, std::string> hostile[] = {
      {"an empty file", ""},
      {"a file cut off in its length", "\x01\x02\x03"},
      {"a header longer than the file", File(good, four, 1000)},
      {"a header of 2^64 - 1 bytes", File(good, four, ~0ull)},
      {"a header of 2^64 - 8 bytes", File(good, four, ~0ull - 7)},
      {"a header that takes in the data", File(good, four, good.size() + 4)},
      {"a header cut off", File(good, four, good.size() - 1)},
      {"no JSON", File("hello", "")},
      {"JSON that is no object", File("[1,2]", "")},
      {"nothing at all", File("", "")},
      {"nesting without end", File("{\"a\":" + std::string(1 << 20, '['), "")},
      {"data cut off", File(good, "\0\0")},
      {"data left over", File(good, eight)},
      {"a tensor twice", File(good.substr(0, good.size() - 1) + "," + good.substr(1), four)},
      {"tensors that overlap", File(two("[0,4]", "[2,6]"), eight)},
      {"tensors on the same data", File(two("[0,4]", "[0,4]"), four)},
      {"a hole between tensors", File(two("[0,4]", "[8,12]"), std::string(12, '\0'))},
      {"offsets that run backwards", File(one("F32", "[1]", "[4,0]"), four)},
      {"an offset beyond the file", File(one("F32", "[1]", "[4,8]"), four)},
      {"an offset of 2^63", File(one("F32", "[1]", "[0,9223372036854775808]"), four)},
      {"a negative offset", File(one("F32", "[1]", "[-4,0]"), four)},
      {"an offset that is no integer", File(one("F32", "[1]", "[0,4.0]"), four)},
      {"three offsets", File(one("F32", "[1]", "[0,4,4]"), four)},
      {"a shape too large for its data", File(one("F32", "[2]", "[0,4]"), four)},
      {"a shape too small for its data", File(one("F32", "[1]", "[0,8]"), eight)},
      {"a shape that overflows to 4 bytes", File(one("F32", "[4294967297,4294967297]", "[0,4]"), four)},
      {"a shape of 2^64 elements", File(one("F32", "[4294967296,4294967296]", "[0,0]"), "")},
      {"a negative dimension", File(one("F32", "[-1]", "[0,4]"), four)},
      {"too many dimensions", File(one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), four)},
      {"a shape that is a number", File(one("F32", "1", "[0,4]"), four)},
      {"an unknown dtype", File(one("F8_E4M3", "[4]", "[0,4]"), four)},
      {"a dtype that is a number", File(R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", four)},
      {"no dtype", File(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", four)},
      {"a tensor that is a number", File("{\"a\":1}", "")},
      {"metadata that is a list", File("{\"__metadata__\":[]}", "")},
      {"metadata of numbers", File("{\"__metadata__\":{\"a\":1}}", "")},
  };
  for (const auto& [what, bytes] : hostile) {
    EXPECT_EQ(OpenStatus(bytes).code(), StatusCode::kDataLoss) << what;
  }
}

TEST(Safetensors, UnalignedTensorsAreReadThroughACopy) {
  const ScratchFolder folder;
  std::string header = "{\"a\":" + Entry("F32", "[1]", "[0,4]") + "}";
  if (header.size() % 4 == 0) header += ' ';
  const float value = 2.5f;
  const std::string data(reinterpret_cast<const char*>(&value), sizeof value);
  const Result<Safetensors> file = Safetensors::Open(folder.Write("x.safetensors", File(header, data)));
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->Get("a")->item<float>(), 2.5f);
}

// Every file that is one byte away from a good one is either refused or harmless.
TEST(Safetensors, OneWrongByteNeverReadsOutsideTheFile) {
  const ScratchFolder folder;
  const std::string good = File("{\"a\":" + Entry("BF16", "[2,3]", "[0,12]") + "}", std::string(12, 'x'));
  for (size_t at = 0; at < good.size() - 12; ++at) {
    for (const char replacement : {'\0', '9', '"', '}'}) {
      std::string bytes = good;
      bytes[at] = replacement;
      const Result<Safetensors> file = Safetensors::Open(folder.Write("x.safetensors", bytes));
      if (!file.ok()) continue;
      for (const std::string& name : file->names()) {
        EXPECT_LE(file->Get(name)->nbytes(), 12u) << at;
        file->Get(name)->clone();
      }
    }
  }
}

}  // namespace
}  // namespace antiphon
