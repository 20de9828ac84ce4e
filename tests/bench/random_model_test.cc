#include "bench/random_model.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon::bench {
namespace {

namespace fs = std::filesystem;

constexpr ModelShape kSmall = {2, 32, 4, 2, 8, 48, 100};

class RandomModelTest : public testing::Test {
 protected:
  RandomModelTest() { fs::create_directories(folder_); }
  ~RandomModelTest() override { fs::remove_all(folder_); }

  std::string NewFolder(const std::string& name) {
    fs::create_directories(folder_ + name);
    return folder_ + name;
  }
  static std::string Bytes(const std::string& folder) {
    std::ifstream file(folder + "/backbone.safetensors", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string folder_ = testing::TempDir() + "random_model_test/";
};

TEST_F(RandomModelTest, AFolderHoldsAModelOfTheShapeInEachForm) {
  const std::map<RandomWeights, at::ScalarType> types = {{RandomWeights::kFloat32, at::kFloat},
                                                         {RandomWeights::kBFloat16, at::kBFloat16},
                                                         {RandomWeights::kInt8, at::kChar}};
  for (const auto& [weights, type] : types) {
    const std::string folder = NewFolder("form");
    ASSERT_TRUE(WriteRandomModel(kSmall, weights, 1, folder).ok());
    const auto shape = FindModelShape(folder);
    ASSERT_TRUE(shape.ok()) << shape.status().ToString();
    EXPECT_EQ(shape->layers, kSmall.layers);
    EXPECT_EQ(shape->kv_heads, kSmall.kv_heads);
    EXPECT_EQ(shape->multiplications(), kSmall.multiplications());
    const auto file = Safetensors::Open(folder + "/backbone.safetensors");
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_EQ(file->GetChecked("layers.1.w_down", {32, 48})->scalar_type(), type);
    EXPECT_TRUE(LanguageModel::Load(*file, *LoadModelConfig(folder), at::kCPU).ok());
  }
}

TEST_F(RandomModelTest, TheSeedDecidesTheWeights) {
  for (const RandomWeights weights : {RandomWeights::kBFloat16, RandomWeights::kInt8}) {
    ASSERT_TRUE(WriteRandomModel(kSmall, weights, 1, NewFolder("a")).ok());
    ASSERT_TRUE(WriteRandomModel(kSmall, weights, 1, NewFolder("b")).ok());
    ASSERT_TRUE(WriteRandomModel(kSmall, weights, 2, NewFolder("c")).ok());
    EXPECT_EQ(Bytes(folder_ + "a"), Bytes(folder_ + "b"));
    EXPECT_NE(Bytes(folder_ + "a"), Bytes(folder_ + "c"));
  }
}

// By hand: of each of the 2 layers wq, wo 32 x 32, wk, wv 16 x 32, three of 48 x 32; the head 100 x 32; five
// norms of 32 floats; and of int8 a scale an output row.
TEST_F(RandomModelTest, AStepReadsLayersAndHead) {
  constexpr int64_t kNumbers = 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32) + 100 * 32;
  constexpr int64_t kNorms = 5 * 32 * 4;
  constexpr int64_t kRows = 2 * (32 + 16 + 16 + 32 + 48 + 48 + 32) + 100;
  EXPECT_EQ(kSmall.multiplications(), kNumbers);
  EXPECT_EQ(LoadRandomModel(kSmall, RandomWeights::kFloat32, 1)->step_bytes, 4 * kNumbers + kNorms);
  EXPECT_EQ(LoadRandomModel(kSmall, RandomWeights::kBFloat16, 1)->step_bytes, 2 * kNumbers + kNorms);
  EXPECT_EQ(LoadRandomModel(kSmall, RandomWeights::kInt8, 1)->step_bytes, kNumbers + 4 * kRows + kNorms);
}

TEST_F(RandomModelTest, ShapesAreFoundByNameOrFolder) {
  EXPECT_EQ(FindModelShape("b0.4")->mlp_width, 4864);
  EXPECT_EQ(FindModelShape("b1.2")->layers, 28);
  const auto named = FindModelShape("wren");
  const auto folder = FindModelShape(ANTIPHON_SOURCE_DIR "/models/wren");
  ASSERT_TRUE(folder.ok()) << folder.status().ToString();
  EXPECT_EQ(named->multiplications(), folder->multiplications());
  EXPECT_EQ(named->kv_width(), folder->kv_width());
  const auto nothing = FindModelShape("b0.5");
  EXPECT_EQ(nothing.status().code(), StatusCode::kNotFound);
  EXPECT_NE(nothing.status().message().find("b0.5"), std::string::npos);
  std::ofstream(NewFolder("broken") + "/config.json") << "{";
  EXPECT_EQ(FindModelShape(folder_ + "broken").status().code(), StatusCode::kDataLoss);
}

TEST_F(RandomModelTest, AFolderThatIsNotThereIsUnavailable) {
  EXPECT_EQ(WriteRandomModel(kSmall, RandomWeights::kInt8, 1, folder_ + "nowhere").code(),
            StatusCode::kUnavailable);
}

}  // namespace
}  // namespace antiphon::bench
