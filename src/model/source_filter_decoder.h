// Wren's voice: from codec vectors to samples, by a source and a filter.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <span>
#include <vector>

#include "antiphon/types.h"
#include "model/audio_codec.h"
#include "model/causal_stack.h"

namespace antiphon {

// A causal network predicts, each hop, the pitch and two filters. The source is a band-limited pulse train of
// that pitch, and noise; each is shaped by its filter in a short-time Fourier transform whose windows of two
// hops reach one hop back. The noise is a table read at the stream's sample position, so nothing is random.
//
// Manners of speaking change what is made of the predictions: at another speed a hop has more or fewer
// samples, and its window and spectrum are as much larger or smaller; the low voice has a lower pitch, and
// its filters are read as of a longer vocal tract. Const after construction.
class SourceFilterDecoder {
 public:
  // Reads the section's "decoder" and "source" and the tensors decoder.*, source.window [2 * hop] and
  // source.noise.
  SourceFilterDecoder(int64_t frame_samples, double slope, CodecParameters* parameters,
                      HistoryLayout* layout);

  // vectors [B, 1, inputs()] -> samples, one tensor a stream. Each stream is said in its state's manner;
  // moves the states' position, phase and last_hop on.
  std::vector<at::Tensor> Forward(const at::Tensor& vectors, std::span<AudioDecoderState* const> states,
                                  const at::Tensor& histories) const;

  int64_t inputs() const { return net_.inputs(); }
  // A hop can be stretched to a whole number of samples at every speed.
  bool has_manners() const { return has_manners_; }

 private:
  // Where a filter of other frequencies is read: between bins `left` and `left` + 1, by their `share`.
  struct FilterMap {
    at::Tensor left;   // [bins] int64
    at::Tensor share;  // [bins] float32
  };
  // The halves of a window of two hops.
  struct WindowHalves {
    at::Tensor rising, falling;  // [hop]
  };

  // Samples of the hop before the next one.
  int64_t HopBefore(const AudioDecoderState& state) const;
  // A frame of streams that are said in the same manner and were before. log_gains [B, hops, 2, bins],
  // log_pitch [B, hops] -> [B, samples].
  at::Tensor Render(const at::Tensor& log_gains, const at::Tensor& log_pitch,
                    std::span<AudioDecoderState* const> states, const at::Tensor& histories) const;
  // log_pitch [B, hops] -> the pulse train [B, hops * hop]; moves the states' phases on.
  at::Tensor Pulses(const at::Tensor& log_pitch, std::span<AudioDecoderState* const> states) const;
  // The noise of each stream's next `count` samples [B, count].
  at::Tensor Noise(std::span<AudioDecoderState* const> states, int64_t count) const;
  // Hops of source [B, 2, n * hop] through gains [B, n, 2, bins]. The hop before the first has `before`
  // samples: where that is not `hop`, n is 1. -> samples [B, before + (n - 1) * hop].
  at::Tensor Filter(const at::Tensor& source, const at::Tensor& log_gains, SpeechManner manner,
                    int64_t before, const at::Tensor& histories) const;
  // log_gains [..., bins] as `voice` has them in a spectrum of size / 2 + 1 bins.
  at::Tensor Gains(const at::Tensor& log_gains, SpeechVoice voice, int64_t size) const;
  FilterMap MapFilters(SpeechVoice voice, int64_t size) const;
  const WindowHalves& HalvesOf(int64_t hop) const;

  int64_t hop_;
  int64_t hops_;  // a frame
  int64_t bins_;  // of a window: hop + 1
  bool has_manners_;
  int64_t longest_hop_;  // of all speeds
  double slope_;
  double sample_rate_;
  double lowest_pitch_, highest_pitch_;  // Hz
  double highest_harmonic_;              // Hz
  double lowest_gain_, highest_gain_;    // bounds of log-magnitudes
  CausalStack net_, filters_, pitch_;
  HistorySlice past_source_;  // one hop of pulses and one of noise
  HistorySlice overlap_;      // the second half of the last window
  std::array<WindowHalves, kSpeechSpeeds> windows_;
  std::array<std::array<FilterMap, kSpeechSpeeds>, kSpeechVoices>
      filter_maps_;   // of spectra of two such hops
  at::Tensor noise_;  // [length + a frame], the table and its start once more
  at::Tensor ramp_;   // [longest hop] float64, 1 ..
  int64_t noise_length_;
};

}  // namespace antiphon
