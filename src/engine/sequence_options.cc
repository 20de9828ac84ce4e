#include "engine/sequence_options.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace antiphon {
namespace {

template <typename T>
struct Range {
  const char* field;
  T least;
  T most;

  Status Check(T value) const {
    if (value >= least && value <= most) return OkStatus();  // false for NaN
    std::ostringstream message;
    message << field << " is " << value << ", must be " << least << " to " << most;
    return InvalidArgument(message.str());
  }
  T Clamp(T value) const { return value >= least ? std::min(value, most) : least; }
};

constexpr Range<float> kThreshold{"endpoint_threshold", 0.0f, 0.9999f};
constexpr Range<int> kFrames{"max_response_frames", 1, 1000};
constexpr Range<int> kPieces{"max_response_pieces", 1, 1024};
constexpr Range<int> kImages{"max_response_images", 0, 4};
constexpr Range<int> kVideoFrames{"max_video_frames", 1, 8};
constexpr Range<int> kUnpacedFrames{"unpaced_frames", 0, 100'000};
constexpr Range<float> kTemperature{"sampling.temperature", 0.0f, 2.0f};
constexpr Range<int> kTopK{"sampling.top_k", 0, 10000};
constexpr Range<float> kTopP{"sampling.top_p", 1e-6f, 1.0f};
constexpr Range<float> kPenalty{"sampling.repetition_penalty", 1.0f, 2.0f};

// The first status that is not OK.
template <typename... Statuses>
Status First(const Statuses&... statuses) {
  Status first;
  ((first.ok() ? void(first = statuses) : void()), ...);
  return first;
}

}  // namespace

Status Validate(const SequenceOptions& options) {
  return First(kThreshold.Check(options.endpoint_threshold), kFrames.Check(options.max_response_frames),
               kPieces.Check(options.max_response_pieces), kImages.Check(options.max_response_images),
               kVideoFrames.Check(options.max_video_frames), kUnpacedFrames.Check(options.unpaced_frames),
               kTemperature.Check(options.sampling.temperature), kTopK.Check(options.sampling.top_k),
               kTopP.Check(options.sampling.top_p), kPenalty.Check(options.sampling.repetition_penalty));
}

SequenceOptions Clamped(const SequenceOptions& options) {
  SequenceOptions clamped = options;
  clamped.endpoint_threshold = kThreshold.Clamp(options.endpoint_threshold);
  clamped.max_response_frames = kFrames.Clamp(options.max_response_frames);
  clamped.max_response_pieces = kPieces.Clamp(options.max_response_pieces);
  clamped.max_response_images = kImages.Clamp(options.max_response_images);
  clamped.max_video_frames = kVideoFrames.Clamp(options.max_video_frames);
  clamped.unpaced_frames = kUnpacedFrames.Clamp(options.unpaced_frames);
  clamped.sampling.temperature = kTemperature.Clamp(options.sampling.temperature);
  clamped.sampling.top_k = kTopK.Clamp(options.sampling.top_k);
  clamped.sampling.top_p = kTopP.Clamp(options.sampling.top_p);
  clamped.sampling.repetition_penalty = kPenalty.Clamp(options.sampling.repetition_penalty);
  return clamped;
}

Status Validate(const EngineOptions& options) {
  const int64_t target = options.first_audio_target.count();
  const int64_t recording = options.max_recording_bytes;
  return First(Range<int>{"max_sequences", 1, 4096}.Check(options.max_sequences),
               Range<int>{"kv_pages", 0, 1 << 20}.Check(options.kv_pages),
               Range<int>{"page_positions", 1, 1024}.Check(options.page_positions),
               Range<int>{"max_batch_positions", 4, 4096}.Check(options.max_batch_positions),
               Range<int>{"max_pending_frames", 1, 100000}.Check(options.max_pending_frames),
               Range<int64_t>{"max_recording_bytes", 1024, int64_t{1} << 40}.Check(recording),
               Range<int>{"threads", 0, 256}.Check(options.threads),
               Range<int>{"prefix_pages", 0, 4096}.Check(options.prefix_pages),
               Range<int>{"speculative_steps", 0, 64}.Check(options.speculative_steps),
               Range<int64_t>{"first_audio_target", 1, 60000}.Check(target));
}

}  // namespace antiphon
