#include "conversation/input_enhancer.h"

#include <algorithm>
#include <array>

namespace antiphon {
namespace {

constexpr size_t kBlock = SpeechEnhancer::kBlockSamples;

}  // namespace

void InputEnhancer::Configure(const SpeechEnhancement& wanted) {
  wanted_ = wanted;
  if (taken_ == 0) Reset();
}

void InputEnhancer::Reset() {
  if (used_ != wanted_) {
    used_ = wanted_;
    if (!used_.any()) {
      enhancer_.reset();
    } else if (enhancer_) {
      enhancer_->Configure(used_);
    } else {
      enhancer_.emplace(used_);
    }
  }
  pending_.clear();
  to_drop_ = enhancer_ ? static_cast<size_t>(enhancer_->delay_samples()) : 0;
  taken_ = 0;
  given_ = 0;
}

void InputEnhancer::Process(std::span<const float> samples, std::vector<float>* enhanced) {
  taken_ += static_cast<int64_t>(samples.size());
  if (!enhancer_) {
    enhanced->insert(enhanced->end(), samples.begin(), samples.end());
    return;
  }
  pending_.insert(pending_.end(), samples.begin(), samples.end());
  const size_t whole = pending_.size() / kBlock * kBlock;
  std::array<float, kBlock> played;
  for (size_t begin = 0; begin < whole; begin += kBlock) {
    const auto block = std::span(pending_).subspan(begin, kBlock);
    echo_.Read(played);
    enhancer_->Process(played, block);
    const size_t dropped = std::min(to_drop_, kBlock);
    to_drop_ -= dropped;
    enhanced->insert(enhanced->end(), block.begin() + static_cast<std::ptrdiff_t>(dropped), block.end());
    given_ += static_cast<int64_t>(kBlock - dropped);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(whole));
}

void InputEnhancer::Flush(std::vector<float>* enhanced) {
  if (!enhancer_) return;
  const auto missing = static_cast<size_t>(taken_ - given_);
  std::vector<float> rest;
  const std::vector<float> silence(kBlock + to_drop_ + static_cast<size_t>(enhancer_->delay_samples()), 0.0f);
  Process(silence, &rest);
  rest.resize(missing);
  enhanced->insert(enhanced->end(), rest.begin(), rest.end());
}

void InputEnhancer::AddSpeech(std::span<const float> speech) {
  if (used_.echo_cancellation || wanted_.echo_cancellation) {
    echo_.Add(speech);
  } else {
    echo_.Skip(static_cast<int64_t>(speech.size()));
  }
}

}  // namespace antiphon
