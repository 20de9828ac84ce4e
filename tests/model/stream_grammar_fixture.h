// One sequence led through a grammar, a call at a time.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "model/stream_grammar.h"

namespace antiphon {

class StreamGrammarFixture : public ::testing::Test {
 protected:
  // `heard`: the frame that Hear gives.
  StreamGrammarFixture(const ModelConfig& config, std::vector<int64_t> heard)
      : grammar_(config), heard_(std::move(heard)) {}

  // Each returns the positions planned.
  std::vector<StreamPosition> Hear() {
    std::vector<StreamPosition> plan;
    grammar_.Hear(heard_, &state_, &plan);
    return plan;
  }
  std::vector<StreamPosition> Type(const std::vector<int64_t>& pieces) {
    std::vector<StreamPosition> plan;
    grammar_.Type(pieces, &state_, &plan);
    return plan;
  }
  StreamPosition Answer() {
    std::vector<StreamPosition> plan;
    grammar_.Answer(&state_, &plan);
    EXPECT_EQ(plan.size(), 1u);
    return plan.back();
  }
  // After a typed turn.
  void BeginResponse(bool speak, ResponseLimits limits = {}) {
    Type({10});
    grammar_.BeginResponse(speak, limits, &state_);
  }

  const StreamGrammar grammar_;
  const std::vector<int64_t> heard_;
  StreamState state_;
};

}  // namespace antiphon
