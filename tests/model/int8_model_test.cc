// Models with int8 matrices: made by QuantizeModel or while loading, and refused when they are broken.
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include "model/quantize_model.h"
#include "model/safetensors_writer.h"
#include "model/weight_reader.h"
#include "tests/model/model_fixture.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

using Tensors = std::map<std::string, at::Tensor>;

std::string Bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> FileNames(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

Tensors ReadAll(const std::string& path) {
  const Result<Safetensors> file = Safetensors::Open(path);
  if (!file.ok()) throw std::runtime_error(file.status().ToString());
  Tensors tensors;
  for (const std::string& name : file->names()) tensors[name] = *file->Get(name);
  return tensors;
}

class Int8ModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<QuantizedModel> done = QuantizeModel(kTinyModel, int8_);
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    done_ = *done;
  }

  // Loads the int8 model after `change` to its tensors.
  Status LoadChanged(const std::function<void(Tensors*)>& change) const {
    Tensors tensors = ReadAll(int8_ + "/backbone.safetensors");
    change(&tensors);
    const std::string path = folder_.path() + "/changed.safetensors";
    if (Status written = WriteSafetensors(path, tensors, {}); !written.ok()) return written;
    const Result<Safetensors> weights = Safetensors::Open(path);
    if (!weights.ok()) return weights.status();
    return LanguageModel::Load(*weights, LoadModelConfig(kTinyModel).value(), at::kCPU).status();
  }

  const ScratchFolder folder_;
  const std::string int8_ = folder_.path() + "/int8";
  QuantizedModel done_;
};

TEST_F(Int8ModelTest, TheMatricesAndNothingElseBecomeInt8) {
  EXPECT_EQ(FileNames(int8_), FileNames(kTinyModel));
  for (const std::string& name : FileNames(kTinyModel)) {
    if (name == "backbone.safetensors") continue;
    EXPECT_EQ(Bytes(int8_ + "/" + name), Bytes(kTinyModel + "/" + name)) << name;
  }
  EXPECT_EQ(FileNames(folder_.path()), std::set<std::string>{"int8"}) << "nothing is left behind";

  const Tensors before = ReadAll(kTinyModel + "/backbone.safetensors");
  const Tensors after = ReadAll(int8_ + "/backbone.safetensors");
  int matrices = 0;
  for (const auto& [name, tensor] : before) {
    const at::Tensor& now = after.at(name);
    EXPECT_EQ(now.sizes(), tensor.sizes()) << name;
    // Embeddings are read row by row and never multiplied with; of the word head a few rows are.
    const bool table =
        name.find("embed.") != std::string::npos || name == "depth.position" || name == "word_head";
    if (tensor.dim() == 1 || table) {
      EXPECT_EQ(now.scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(now.equal(tensor)) << name;
      EXPECT_EQ(after.count(ScalesName(name)), 0u) << name;
      continue;
    }
    ++matrices;
    ASSERT_EQ(now.scalar_type(), at::kChar) << name;
    const at::Tensor scales = after.at(ScalesName(name));
    ASSERT_EQ(scales.sizes(), (std::vector<int64_t>{tensor.size(0)})) << name;
    const at::Tensor error = (ToFloat({now, scales}) - tensor.to(at::kFloat)).abs();
    EXPECT_TRUE((error <= scales.unsqueeze(1) * 0.5001).all().item<bool>()) << name;
  }
  EXPECT_EQ(done_.matrices, matrices);
  EXPECT_EQ(after.size(), before.size() + static_cast<size_t>(matrices));
  EXPECT_EQ(done_.bytes_before, fs::file_size(kTinyModel + "/backbone.safetensors"));
  EXPECT_EQ(done_.bytes_after, fs::file_size(int8_ + "/backbone.safetensors"));
}

TEST_F(Int8ModelTest, AStoredOneIsWhatLoadingMakes) {
  const auto stored = LoadLanguageModel(int8_, WeightFormat::kAsStored);
  const auto again = LoadLanguageModel(int8_, WeightFormat::kInt8);
  const auto loaded = LoadLanguageModel(kTinyModel, WeightFormat::kInt8);
  const auto exact = LoadLanguageModel(kTinyModel, WeightFormat::kAsStored);
  EXPECT_EQ(stored->parameters(), exact->parameters()) << "scales are not counted";
  EXPECT_EQ(loaded->parameters(), exact->parameters());
  std::vector<StreamPosition> positions;
  for (int64_t i = 0; i < 20; ++i) positions.push_back({.symbol = 3 + i});
  const auto logits = [&](const LanguageModel& model) {
    return model.SymbolLogits(SoloSequence(model, 2, 16).Run(positions));
  };
  const at::Tensor expected = logits(*stored);
  EXPECT_TRUE(logits(*loaded).equal(expected));
  EXPECT_TRUE(logits(*again).equal(expected));
  const at::Tensor error = (expected - logits(*exact)).abs();
  EXPECT_GT(error.max().item<double>(), 0.0);
  EXPECT_LT(error.max().item<double>(), 0.05 * logits(*exact).abs().max().item<double>());
}

TEST_F(Int8ModelTest, QuantizingTwiceChangesNothing) {
  const Result<QuantizedModel> twice = QuantizeModel(int8_, folder_.path() + "/twice/");
  ASSERT_TRUE(twice.ok()) << twice.status().ToString();
  EXPECT_EQ(twice->matrices, 0);
  EXPECT_EQ(Bytes(folder_.path() + "/twice/backbone.safetensors"), Bytes(int8_ + "/backbone.safetensors"));
}

TEST_F(Int8ModelTest, ScalesMayBeBfloat16) {
  EXPECT_TRUE(LoadChanged([](Tensors* tensors) {
                at::Tensor& scales = tensors->at("head.scale");
                scales = scales.to(at::kBFloat16);
              }).ok());
}

TEST_F(Int8ModelTest, BrokenFilesAreRefusedByName) {
  ASSERT_TRUE(LoadChanged([](Tensors*) {}).ok());
  const std::string scale = "layers.1.wq.scale";
  const auto set = [&](float value) {
    return [value, scale](Tensors* tensors) {
      tensors->at(scale) = tensors->at(scale).clone();
      tensors->at(scale)[0] = value;
    };
  };
  const auto replace = [](const std::string& name, const at::Tensor& by) {
    return [name, by](Tensors* tensors) { tensors->at(name) = by; };
  };
  const Tensors good = ReadAll(int8_ + "/backbone.safetensors");
  const int64_t out = good.at(scale).size(0);
  struct Broken {
    const char* what;
    std::string named;
    std::function<void(Tensors*)> change;
  };
  const Broken broken[] = {
      {"no scales", scale, [&](Tensors* tensors) { tensors->erase(scale); }},
      {"a scale too few", scale, replace(scale, at::full({out - 1}, 0.1f))},
      {"a scale too many", scale, replace(scale, at::full({out + 1}, 0.1f))},
      {"scales in two dimensions", scale, replace(scale, at::full({out, 1}, 0.1f))},
      {"one scale for all", scale, replace(scale, at::full({}, 0.1f))},
      {"integer scales", scale, replace(scale, at::full({out}, 1, at::kInt))},
      {"a NaN", scale, set(std::numeric_limits<float>::quiet_NaN())},
      {"an infinite scale", scale, set(std::numeric_limits<float>::infinity())},
      {"a negative scale", scale, set(-0.1f)},
      {"a matrix of another shape", "layers.0.wo", replace("layers.0.wo", at::zeros({3, 3}, at::kChar))},
      {"an unsigned matrix", "head", replace("head", good.at("head").to(at::kByte))},
      {"int8 embeddings", "embed.symbol",
       replace("embed.symbol", at::zeros(good.at("embed.symbol").sizes(), at::kChar))},
      {"an int8 norm", "norm", replace("norm", at::zeros(good.at("norm").sizes(), at::kChar))},
  };
  for (const Broken& b : broken) {
    const Status status = LoadChanged(b.change);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << b.what << ": " << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(b.named)) << b.what;
  }
}

TEST_F(Int8ModelTest, WhatIsNotFiniteHasNoInt8Form) {
  const std::string broken = folder_.path() + "/broken";
  fs::copy(kTinyModel, broken, fs::copy_options::recursive);
  Tensors tensors = ReadAll(kTinyModel + "/backbone.safetensors");
  at::Tensor& matrix = tensors.at("depth.head.2");
  matrix = matrix.clone();
  matrix[1][2] = std::numeric_limits<float>::infinity();
  ASSERT_TRUE(WriteSafetensors(broken + "/backbone.safetensors", tensors, {}).ok());
  const Status status = QuantizeModel(broken, folder_.path() + "/never").status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("depth.head.2"));
  EXPECT_FALSE(fs::exists(folder_.path() + "/never"));
  EXPECT_FALSE(fs::exists(folder_.path() + "/never.partial"));
  const Result<Safetensors> weights = Safetensors::Open(broken + "/backbone.safetensors");
  const Status loading =
      LanguageModel::Load(*weights, LoadModelConfig(kTinyModel).value(), at::kCPU, WeightFormat::kInt8)
          .status();
  EXPECT_EQ(loading.code(), StatusCode::kDataLoss);
  EXPECT_THAT(loading.message(), HasSubstr("depth.head.2"));
}

TEST_F(Int8ModelTest, QuantizeModelOverwritesNothing) {
  const Status exists = QuantizeModel(kTinyModel, int8_).status();
  EXPECT_EQ(exists.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(exists.message(), HasSubstr(int8_));
  const std::string blocked = folder_.path() + "/blocked";
  fs::create_directory(blocked + ".partial");
  EXPECT_EQ(QuantizeModel(kTinyModel, blocked).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::exists(blocked + ".partial")) << "somebody else's";
  EXPECT_EQ(QuantizeModel(kTinyModel, folder_.path() + "/no/such/place").status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(QuantizeModel(folder_.path() + "/nobody", folder_.path() + "/out").status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(folder_.path() + "/out"));
}

}  // namespace
}  // namespace antiphon
