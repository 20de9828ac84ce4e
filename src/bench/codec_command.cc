// `antiphon-bench codec`: how fast the audio codec is on one core, and what delay it adds.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "bench/commands.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "media/resampler.h"
#include "media/wav.h"
#include "model/audio_codec.h"
#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon::bench {
namespace {

struct Arguments {
  std::string model;
  std::string wav;
  std::string json;
  int seconds = 10;
  int repeats = 10;
  int streams = 1;
};

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// [frames, frame_samples] of the recording, repeated as needed, or of noise.
Result<at::Tensor> Input(const Arguments& arguments, const AudioCodec& codec) {
  const int64_t frames = arguments.seconds * codec.sample_rate() / codec.frame_samples();
  const int64_t samples = frames * codec.frame_samples();
  if (arguments.wav.empty()) {
    at::manual_seed(1);
    return at::rand({frames, codec.frame_samples()}).mul_(0.2).sub_(0.1);
  }
  const Result<Audio> audio = ReadWav(arguments.wav);
  if (!audio.ok()) return audio.status();
  const auto resampled = Resample(audio->samples, audio->sample_rate, static_cast<int>(codec.sample_rate()));
  if (!resampled.ok()) return resampled.status();
  if (resampled->empty()) return InvalidArgument(arguments.wav + " holds no samples");
  at::Tensor input = at::empty({samples});
  for (int64_t i = 0; i < samples; ++i) {
    input.data_ptr<float>()[i] = (*resampled)[static_cast<size_t>(i) % resampled->size()];
  }
  return input.view({frames, codec.frame_samples()});
}

// One pass over all frames, every stream with the same sound.
struct Pass {
  LatencySummary encode, decode;  // ms a frame, all streams together
  double seconds = 0;             // both, altogether
};

Pass RunPass(const AudioCodec& codec, const at::Tensor& input, int streams) {
  std::vector<AudioEncoderState> encoders;
  std::vector<AudioDecoderState> decoders;
  for (int i = 0; i < streams; ++i) {
    encoders.push_back(codec.MakeEncoderState());
    decoders.push_back(codec.MakeDecoderState());
  }
  std::vector<AudioEncoderState*> encoding;
  std::vector<AudioDecoderState*> decoding;
  for (auto& state : encoders) encoding.push_back(&state);
  for (auto& state : decoders) decoding.push_back(&state);
  Pass pass;
  for (int64_t frame = 0; frame < input.size(0); ++frame) {
    const at::Tensor samples = input[frame].expand({streams, -1}).contiguous();
    auto start = std::chrono::steady_clock::now();
    const at::Tensor codes = codec.Encode(encoding, samples);
    pass.encode.Add(MillisecondsSince(start));
    start = std::chrono::steady_clock::now();
    (void)codec.Decode(decoding, codes);
    pass.decode.Add(MillisecondsSince(start));
  }
  pass.seconds = (pass.encode.Mean() + pass.decode.Mean()) * static_cast<double>(pass.encode.count()) / 1e3;
  return pass;
}

nlohmann::json Report(const Arguments& arguments, const AudioCodec& codec, const std::vector<Pass>& passes,
                      double audio_seconds) {
  LatencySummary encode, decode;
  std::vector<double> factors;
  for (const Pass& pass : passes) {
    encode.Merge(pass.encode);
    decode.Merge(pass.decode);
    factors.push_back(audio_seconds * arguments.streams / pass.seconds);
  }
  std::ranges::sort(factors);
  return {{"machine", MachineJson()},
          {"model", arguments.model},
          {"threads", 1},
          {"streams", arguments.streams},
          {"repeats", passes.size()},
          {"audio_seconds", audio_seconds},
          {"parameters", codec.parameters()},
          {"frame_ms",
           1e3 * static_cast<double>(codec.frame_samples()) / static_cast<double>(codec.sample_rate())},
          {"delay_ms", 1e3 * static_cast<double>(codec.decoder_delay_samples()) /
                           static_cast<double>(codec.sample_rate())},
          {"encode_ms", SummaryJson(encode)},
          {"decode_ms", SummaryJson(decode)},
          {"times_real_time",
           {{"median", factors[factors.size() / 2]}, {"min", factors.front()}, {"max", factors.back()}}}};
}

Status Run(const Arguments& arguments) {
  const Result<ModelConfig> config = LoadModelConfig(arguments.model);
  if (!config.ok()) return config.status();
  const Result<Safetensors> weights = Safetensors::Open(arguments.model + "/audio_codec.safetensors");
  if (!weights.ok()) return weights.status();
  const auto codec = AudioCodec::Load(*weights, *config, at::kCPU);
  if (!codec.ok()) return codec.status();
  const c10::InferenceMode inference;
  at::set_num_threads(1);
  const Result<at::Tensor> input = Input(arguments, **codec);
  if (!input.ok()) return input.status();
  (void)RunPass(**codec, *input, arguments.streams);  // warms up
  std::vector<Pass> passes;
  for (int i = 0; i < arguments.repeats; ++i) passes.push_back(RunPass(**codec, *input, arguments.streams));

  const double audio_seconds =
      static_cast<double>(input->numel()) / static_cast<double>((*codec)->sample_rate());
  const nlohmann::json report = Report(arguments, **codec, passes, audio_seconds);
  const nlohmann::json& factor = report.at("times_real_time");
  std::fputs(
      (SummaryHead() + SummaryLine("encode one frame", report.at("encode_ms")) +
       SummaryLine("decode one frame", report.at("decode_ms")) +
       fmt::format(
           "\nencode + decode: {:.1f} times real time on one core ({:.1f} to {:.1f} in {} passes of {:.0f} "
           "s, {} streams)\ndelay beyond the frame: {:.1f} ms\n",
           factor.at("median").get<double>(), factor.at("min").get<double>(), factor.at("max").get<double>(),
           passes.size(), audio_seconds, arguments.streams, report.at("delay_ms").get<double>()))
          .c_str(),
      stdout);
  return WriteReport(report, arguments.json);
}

}  // namespace

Command AddCodecCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--model", arguments->model, "The model's folder")->type_name("FOLDER")->required();
  app.add_option("--wav", arguments->wav, "What to encode; noise otherwise")->type_name("FILE");
  app.add_option("--seconds", arguments->seconds, "Of sound in a pass")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--repeats", arguments->repeats, "Passes")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--streams", arguments->streams, "Streams in one call")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
