#include "model/safetensors_writer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "model/safetensors.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

TEST(SafetensorsWriter, WhatIsWrittenIsReadInPlace) {
  const ScratchFolder folder;
  const std::string path = folder.path() + "/x.safetensors";
  // Odd sizes, so that a careless order would leave the larger elements unaligned.
  const std::map<std::string, at::Tensor> tensors = {
      {"a", at::arange(7, at::kChar)},
      {"b", at::arange(5, at::kFloat).mul(0.5)},
      {"c", at::arange(9, at::kFloat).to(at::kBFloat16).view({3, 3})},
      {"d", at::full({}, 3, at::kLong)},
      {"e", at::zeros({0, 4}, at::kDouble)},
      {"f", at::full({3}, true, at::kBool)},
  };
  const Status written = WriteSafetensors(path, tensors, {{"made", "by a test"}});
  ASSERT_TRUE(written.ok()) << written.ToString();
  const Result<Safetensors> file = Safetensors::Open(path);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"made", "by a test"}}));
  EXPECT_EQ(file->names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor read = *file->Get(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(read.equal(tensor)) << name;
  }
  // Mapped at a page's begin, so the address tells: the largest elements begin the data.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->Get("d")->data_ptr()) % 64, 0u);
}

TEST(SafetensorsWriter, SaysWhatItCannotDo) {
  const ScratchFolder folder;
  const Status nowhere = WriteSafetensors(folder.path() + "/no/such/folder", {}, {});
  EXPECT_EQ(nowhere.code(), StatusCode::kUnavailable);
  EXPECT_THAT(nowhere.message(), ::testing::HasSubstr("/no/such/folder"));
  const Status complex =
      WriteSafetensors(folder.path() + "/x", {{"a", at::zeros({2}, at::kComplexFloat)}}, {});
  EXPECT_EQ(complex.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(complex.message(), ::testing::HasSubstr("tensor a"));
  if (access("/dev/full", W_OK) == 0) {
    EXPECT_EQ(WriteSafetensors("/dev/full", {{"a", at::zeros({100000})}}, {}).code(),
              StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace antiphon
