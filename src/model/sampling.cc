#include "model/sampling.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <vector>

namespace antiphon {
namespace {

struct Candidate {
  int64_t index;
  float logit;
  double weight;
};

// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): the first two words of the
// output.
uint64_t Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53ull * counter[0];
    const uint64_t b = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return static_cast<uint64_t>(counter[0]) << 32 | counter[1];
}

// The penalty divides a positive logit and multiplies a negative one, so that it always makes the index less
// likely.
std::vector<float> Penalised(std::span<const float> logits, float penalty,
                             std::span<const int64_t> repeated) {
  std::vector<float> out(logits.begin(), logits.end());
  for (const int64_t index : repeated) {
    const float logit = logits[index];
    out[index] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return out;
}

bool Likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.index < b.index;
}

std::vector<Candidate> Collect(std::span<const float> logits, std::span<const uint8_t> allowed) {
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    if ((allowed.empty() || allowed[i] != 0) && !std::isnan(logits[i])) {
      candidates.push_back({static_cast<int64_t>(i), logits[i], 0.0});
    }
  }
  return candidates;
}

// Cuts sorted candidates to the smallest set that holds `top_p` of the weight.
double KeepTopP(float top_p, double total, std::vector<Candidate>* candidates) {
  if (top_p >= 1.0f) return total;
  double kept = 0;
  size_t count = 0;
  while (count < candidates->size() && kept < top_p * total) kept += (*candidates)[count++].weight;
  candidates->resize(std::max<size_t>(count, 1));
  return kept;
}

}  // namespace

double UniformDraw(uint64_t seed, DrawPlace place) {
  const auto position = static_cast<uint64_t>(place.position);
  const auto channel = static_cast<uint64_t>(place.channel);
  const uint64_t bits = Philox({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                                static_cast<uint32_t>(channel), static_cast<uint32_t>(channel >> 32)},
                               {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

int64_t ArgMax(std::span<const float> logits, std::span<const uint8_t> allowed) {
  int64_t best = -1;
  int64_t first_allowed = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!allowed.empty() && allowed[i] == 0) continue;
    if (first_allowed < 0) first_allowed = static_cast<int64_t>(i);
    if (!std::isnan(logits[i]) && (best < 0 || logits[i] > logits[best])) best = static_cast<int64_t>(i);
  }
  assert(first_allowed >= 0);
  return best >= 0 ? best : first_allowed;  // all NaN: still a legal index
}

int64_t Draw(std::span<const float> logits, std::span<const uint8_t> allowed, const SamplingOptions& options,
             std::span<const int64_t> repeated, DrawPlace place) {
  std::vector<float> penalised;
  if (options.repetition_penalty != 1.0f && !repeated.empty()) {
    penalised = Penalised(logits, options.repetition_penalty, repeated);
    logits = penalised;
  }
  if (options.temperature == 0.0f) return ArgMax(logits, allowed);

  std::vector<Candidate> candidates = Collect(logits, allowed);
  if (candidates.empty()) return ArgMax(logits, allowed);
  const size_t keep =
      options.top_k > 0 ? std::min<size_t>(options.top_k, candidates.size()) : candidates.size();
  // Sorted also when all are kept: the order decides which index a draw falls on, and must not depend on the
  // cut.
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep),
                    candidates.end(), Likelier);
  candidates.resize(keep);
  if (!std::isfinite(candidates[0].logit)) return candidates[0].index;

  double total = 0;
  for (Candidate& candidate : candidates) {
    candidate.weight =
        std::exp((static_cast<double>(candidate.logit) - candidates[0].logit) / options.temperature);
    total += candidate.weight;
  }
  total = KeepTopP(options.top_p, total, &candidates);

  double left = UniformDraw(options.seed, place) * total;
  for (const Candidate& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.index;
  }
  return candidates.back().index;  // rounding used the last crumb
}

}  // namespace antiphon
