// What a stack of layers may ask for.
#include "model/causal_stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "model/codec_parameters.h"
#include "model/safetensors.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Conv(int64_t inputs, int64_t kernel, int64_t stride, int64_t dilation, int64_t factor) {
  return {{"kind", "conv"},   {"inputs", inputs},     {"outputs", 1},  {"kernel", kernel},
          {"stride", stride}, {"dilation", dilation}, {"activate", 0}, {"factor", factor}};
}

// A weights file with all tensors of "stack", zero.
std::string WeightsOf(const json& layers) {
  json header = json::object();
  int64_t end = 0;
  const auto add = [&](const std::string& name, const json& shape) {
    int64_t bytes = 4;
    for (const json& size : shape) bytes *= size.get<int64_t>();
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string name = "stack." + std::to_string(i);
    const json& layer = layers[i];
    const int64_t outputs = layer["outputs"].get<int64_t>() * layer["factor"].get<int64_t>();
    add(name + ".weight", json::array({json(outputs), layer["inputs"], layer["kernel"]}));
    add(name + ".bias", json::array({json(outputs)}));
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + text + std::string(static_cast<size_t>(end), '\0');
}

// What reading the stack with all the weights it asks for comes to.
Status Read(const json& layers) {
  const ScratchFolder folder;
  const Result<Safetensors> weights =
      Safetensors::Open(folder.Write("weights.safetensors", WeightsOf(layers)));
  if (!weights.ok()) return weights.status();
  const json section = {{"stack", layers}};
  CodecParameters parameters(section, "audio_codec", "folder/config.json", *weights, at::kCPU);
  HistoryLayout layout;
  const CausalStack stack("stack", 0.1, &parameters, &layout);
  return parameters.status();
}

void ExpectRefused(const json& layers, const std::string& field) {
  const Status status = Read(layers);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("folder/config.json: audio_codec." + field));
}

TEST(CausalStack, ReadsLayersWithinTheLimits) {
  const json layers = json::array({Conv(1, 16, 16, 1, 1), Conv(1, 16, 16, 2, 1), Conv(1, 3, 1, 64, 16)});
  EXPECT_EQ(Read(layers), OkStatus());
}

TEST(CausalStack, StridesThatWouldOverflowAreRefused) {
  // 16 to the 64th, which is 0 in 64 bits.
  ExpectRefused(json(std::vector<json>(64, Conv(1, 16, 16, 1, 1))), "stack.3.stride");
}

TEST(CausalStack, FactorsThatWouldOverflowAreRefused) {
  ExpectRefused(json(std::vector<json>(64, Conv(1, 1, 1, 1, 16))), "stack.3.factor");
}

TEST(CausalStack, AHistoryOfAnySizeIsRefused) {
  // 31 * 64 rows of 4096 channels: 31 MiB for every stream.
  ExpectRefused(json::array({Conv(4096, 32, 1, 64, 1)}), "stack.0: the layers up to it remember");
}

TEST(CausalStack, TooManyLayersAreRefused) {
  ExpectRefused(json(std::vector<json>(65, Conv(1, 1, 1, 1, 1))), "stack must be a list of 1 to 64");
}

}  // namespace
}  // namespace antiphon
