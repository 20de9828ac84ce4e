// Wren's voice: from codec vectors to samples, by a source and a filter.
#pragma once

#include <torch/types.h>

#include <vector>

#include "model/causal_stack.h"

namespace antiphon {

// A causal network predicts, each hop, the pitch and two filters. The source is a band-limited pulse train of
// that pitch, and noise; each is shaped by its filter in a short-time Fourier transform whose windows of two
// hops reach one hop back. The noise is a table read at the stream's sample position, so nothing is random.
// Const after construction.
class SourceFilterDecoder {
 public:
  // Where a stream stands; changed by Forward.
  struct Clock {
    int64_t* frames;
    double* phase;  // turns
  };

  // Reads the section's "decoder" and "source" and the tensors decoder.*, source.window [2 * hop] and
  // source.noise.
  SourceFilterDecoder(int64_t frame_samples, double slope, CodecParameters* parameters,
                      HistoryLayout* layout);

  // vectors [B, 1, inputs()] -> samples [B, frame_samples]. `clocks` has one entry a stream.
  torch::Tensor Forward(const torch::Tensor& vectors, const std::vector<Clock>& clocks,
                        const torch::Tensor& histories) const;

  int64_t inputs() const { return net_.inputs(); }

 private:
  // log_pitch [B, hops] -> the pulse train [B, samples]; moves the clocks' phases on.
  torch::Tensor Pulses(const torch::Tensor& log_pitch, const std::vector<Clock>& clocks) const;
  // The noise of each stream's next frame [B, samples].
  torch::Tensor Noise(const std::vector<Clock>& clocks) const;
  // source [B, 2, samples], gains [B, 2, hops, bins] -> samples [B, samples].
  torch::Tensor Filter(const torch::Tensor& source, const torch::Tensor& gains,
                       const torch::Tensor& histories) const;

  int64_t samples_;  // a frame
  int64_t hop_;
  int64_t hops_;  // a frame
  int64_t bins_;  // of a window: hop + 1
  double slope_;
  double sample_rate_;
  double lowest_pitch_, highest_pitch_;  // Hz
  double highest_harmonic_;              // Hz
  double lowest_gain_, highest_gain_;    // bounds of log-magnitudes
  CausalStack net_, filters_, pitch_;
  HistorySlice past_source_;  // one hop of pulses and one of noise
  HistorySlice overlap_;      // the second half of the last window
  torch::Tensor window_;      // [2 * hop]
  torch::Tensor noise_;       // [length + a frame], the table and its start once more
  torch::Tensor ramp_;        // [hop] float64, 1 .. hop
  int64_t noise_length_;
};

}  // namespace antiphon
