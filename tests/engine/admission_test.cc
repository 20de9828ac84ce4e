#include "engine/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr AdmissionTerms kTerms = {.max_open = 64,
                                   .heard_period = milliseconds(80),
                                   .spoken_period = milliseconds(80),
                                   .first_audio_target = milliseconds(300),
                                   .first_audio_steps = 3,
                                   .max_step = milliseconds(40)};

// Hearing takes 10 + 3n ms, speaking 10 + 10n.
StepCost Cost() {
  StepCost cost;
  for (const int units : {1, 2, 4, 1, 2, 4}) {
    cost.Learn({.rows = units, .heard = units},
               {.encode = milliseconds(2 * units), .forward = milliseconds(10 + units)});
    cost.Learn({.rows = units, .spoken = units},
               {.forward = milliseconds(10 + units), .speak = milliseconds(9 * units)});
  }
  return cost;
}

// As if the steps after the first few had taken what was predicted, for long.
StepCost Settled(StepCost cost) {
  for (int i = 0; i < 400; ++i) {
    for (const int units : {1, 2, 4}) {
      cost.Learn({.rows = units, .heard = units},
                 {.encode = milliseconds(2 * units), .forward = milliseconds(10 + units)});
      cost.Learn({.rows = units, .spoken = units},
                 {.forward = milliseconds(10 + units), .speak = milliseconds(9 * units)});
    }
  }
  return cost;
}

TEST(AdmissionTest, RefusesBeyondTheLimitOfSequences) {
  EXPECT_TRUE(Admit(63, 63, {}, kTerms).ok());
  EXPECT_EQ(Admit(64, 64, {}, kTerms).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Admit(64, 0, {}, kTerms).code(), StatusCode::kResourceExhausted);
}

TEST(AdmissionTest, APeriodHoldsTwoStepsOfHalfTheSequences) {
  const StepCost cost = Settled(Cost());
  ASSERT_NEAR(cost.headroom(), 1.0, 0.01);
  // Six speak in two steps of 40 ms; a seventh would need a third.
  EXPECT_TRUE(Admit(5, 5, cost, kTerms).ok());
  const Status refused = Admit(6, 6, cost, kTerms);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("7 sequences"));
  EXPECT_THAT(refused.message(), HasSubstr("try again"));
  // Those without deadlines take a place, and no time.
  EXPECT_TRUE(Admit(12, 5, cost, kTerms).ok());
  EXPECT_FALSE(Admit(12, 6, cost, kTerms).ok());
}

TEST(AdmissionTest, StepsMayBeLongerWhereTheEngineLetsThem) {
  const StepCost cost = Settled(Cost());
  AdmissionTerms terms = kTerms;
  terms.max_step = milliseconds(80);
  // Seven in one step would take just a period; but one who comes while it runs would wait for two.
  EXPECT_TRUE(Admit(5, 5, cost, terms).ok());
  EXPECT_FALSE(Admit(6, 6, cost, terms).ok());
}

TEST(AdmissionTest, FastSpeechLeavesLessTime) {
  const StepCost cost = Settled(Cost());
  AdmissionTerms terms = kTerms;
  terms.spoken_period = milliseconds(64);
  // Two steps of two, 30 ms each; two of three take 80 ms.
  EXPECT_TRUE(Admit(3, 3, cost, terms).ok());
  EXPECT_FALSE(Admit(4, 4, cost, terms).ok());
}

TEST(AdmissionTest, HearingHasAPeriodOfItsOwn) {
  // Hearing is what is slow here: 5 + 10n ms, speaking 5 + 1n.
  StepCost cost;
  for (int i = 0; i < 400; ++i) {
    for (const int units : {1, 2, 4}) {
      cost.Learn({.rows = units, .heard = units},
                 {.encode = milliseconds(10 * units), .forward = milliseconds(5)});
      cost.Learn({.rows = units, .spoken = units},
                 {.forward = milliseconds(5), .speak = milliseconds(units)});
    }
  }
  EXPECT_TRUE(Admit(5, 5, cost, kTerms).ok());
  const Status refused = Admit(6, 6, cost, kTerms);
  EXPECT_THAT(refused.message(), HasSubstr("hearing"));
}

TEST(AdmissionTest, OneTurnEndsWhileAllOthersSpeak) {
  const StepCost cost = Settled(Cost());
  AdmissionTerms terms = kTerms;
  // Four steps of 40 ms: one under way, three to the first sound.
  terms.first_audio_target = milliseconds(161);
  EXPECT_TRUE(Admit(5, 5, cost, terms).ok());
  terms.first_audio_target = milliseconds(150);
  const Status refused = Admit(5, 5, cost, terms);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("first sound"));
  EXPECT_TRUE(Admit(3, 3, cost, terms).ok());
}

TEST(AdmissionTest, WhatWasNotMeasuredIsNotHeldAgainstAnybodyAndTheFirstAlwaysGetsIn) {
  EXPECT_TRUE(Admit(40, 40, {}, kTerms).ok());
  AdmissionTerms hopeless = kTerms;
  hopeless.heard_period = hopeless.spoken_period = milliseconds(1);
  EXPECT_TRUE(Admit(0, 0, Cost(), hopeless).ok());
  EXPECT_FALSE(Admit(1, 1, Cost(), hopeless).ok());
}

TEST(AdmissionTest, StepsThatSwingLeaveHeadroom) {
  StepCost steady;
  StepCost swinging;
  for (int i = 0; i < 300; ++i) {
    for (const int units : {1, 2, 4}) {
      const Nanoseconds took = milliseconds(4) + units * milliseconds(8);
      steady.Learn({.rows = units, .heard = units, .spoken = units}, {.forward = took});
      // The same mean, a fifth more or less.
      swinging.Learn({.rows = units, .heard = units, .spoken = units},
                     {.forward = i % 2 == 0 ? took * 12 / 10 : took * 8 / 10});
    }
  }
  EXPECT_NEAR(steady.headroom(), 1.0, 0.01);
  EXPECT_GT(swinging.headroom(), 1.3);
  EXPECT_LE(swinging.headroom(), 1.5);
  // Eight in two steps of 36 ms; with headroom they would be 50.
  EXPECT_TRUE(Admit(7, 7, steady, kTerms).ok());
  EXPECT_FALSE(Admit(7, 7, swinging, kTerms).ok());
}

TEST(AdmissionTest, LongContextsCountWhereTheyCost) {
  // 4 ms, and 2 ms for each thousand positions that are read.
  StepCost cost;
  for (int i = 0; i < 100; ++i) {
    for (const int rows : {1, 2, 4}) {
      for (const int context : {200, 3000}) {
        const int64_t attended = int64_t{rows} * context;
        cost.Learn({.rows = rows, .heard = rows, .spoken = rows, .attended = attended},
                   {.forward = milliseconds(4) + attended * microseconds(2)});
      }
    }
  }
  ASSERT_NEAR(cost.mean_attended(), 1600, 200);
  // A step of n takes 4 + 3.2n ms: two of 11 fit, two of 12 do not.
  EXPECT_TRUE(Admit(19, 19, cost, kTerms).ok());
  EXPECT_FALSE(Admit(25, 25, cost, kTerms).ok());
}

}  // namespace
}  // namespace antiphon
