// `antiphon-bench image-codec`: what showing a picture and painting one cost.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "media/image.h"
#include "model/image_codec.h"
#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon::bench {
namespace {

struct Arguments {
  std::string model;
  std::string image;
  std::string json;
  int threads = 2;
  int repeats = 200;
};

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// The PNG file, or a picture in which every pixel differs from its neighbours.
Result<Image> Picture(const Arguments& arguments, int side) {
  if (arguments.image.empty()) {
    Image picture{.width = side, .height = side, .rgb = {}};
    for (int i = 0; i < 3 * side * side; ++i) picture.rgb.push_back(static_cast<uint8_t>(i * 37 % 251));
    return picture;
  }
  std::ifstream file(arguments.image, std::ios::binary);
  if (!file) return NotFound(arguments.image + " cannot be read");
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Result<Image> picture = DecodeImage(bytes, "image/png");
  if (!picture.ok()) return picture.status();
  return FitImage(*picture, side);
}

Status Run(const Arguments& arguments) {
  const Result<ModelConfig> config = LoadModelConfig(arguments.model);
  if (!config.ok()) return config.status();
  if (!config->image.known()) return InvalidArgument(arguments.model + " knows no pictures");
  const Result<Safetensors> weights = Safetensors::Open(arguments.model + "/image_codec.safetensors");
  if (!weights.ok()) return weights.status();
  const auto codec = ImageCodec::Load(*weights, *config, at::kCPU);
  if (!codec.ok()) return codec.status();
  const Result<Image> picture = Picture(arguments, static_cast<int>((*codec)->side()));
  if (!picture.ok()) return picture.status();

  at::set_num_threads(arguments.threads);
  LatencySummary encode, decode;
  for (int i = -5; i < arguments.repeats; ++i) {  // the first five warm up
    auto start = std::chrono::steady_clock::now();
    const Result<std::vector<int>> codes = (*codec)->Encode(*picture);
    const double encoding = MillisecondsSince(start);
    if (!codes.ok()) return codes.status();
    start = std::chrono::steady_clock::now();
    const Result<Image> painted = (*codec)->Decode(*codes);
    const double decoding = MillisecondsSince(start);
    if (!painted.ok()) return painted.status();
    if (i < 0) continue;
    encode.Add(encoding);
    decode.Add(decoding);
  }
  const nlohmann::json report = {{"machine", MachineJson()},
                                 {"model", arguments.model},
                                 {"threads", arguments.threads},
                                 {"repeats", arguments.repeats},
                                 {"side", (*codec)->side()},
                                 {"codes", (*codec)->grid() * (*codec)->grid()},
                                 {"parameters", (*codec)->parameters()},
                                 {"encode_ms", SummaryJson(encode)},
                                 {"decode_ms", SummaryJson(decode)}};
  std::fputs((SummaryHead() + SummaryLine("encode one picture", report.at("encode_ms")) +
              SummaryLine("decode one picture", report.at("decode_ms")))
                 .c_str(),
             stdout);
  return WriteReport(report, arguments.json);
}

}  // namespace

Command AddImageCodecCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--model", arguments->model, "The model's folder")->type_name("FOLDER")->required();
  app.add_option("--image", arguments->image, "PNG to encode; made-up pixels otherwise")->type_name("FILE");
  app.add_option("--threads", arguments->threads, "Of libtorch")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--repeats", arguments->repeats, "Pictures")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
