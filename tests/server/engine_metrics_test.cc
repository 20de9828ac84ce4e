#include "server/engine_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <optional>
#include <string>

#include "tests/common/exposition.h"

namespace antiphon {
namespace {

// An engine that has only its account.
class BookKeeper final : public Engine {
 public:
  Result<std::unique_ptr<Sequence>> Open(const SequenceOptions&, SequenceListener) override {
    return ResourceExhausted("no sequences here");
  }
  Result<Image> PaintImage(std::span<const int>) const override { return Internal("no pictures here"); }
  const ModelDescription& model() const override { return model_; }
  EngineStatistics statistics() const override { return account; }

  EngineStatistics account;

 private:
  const ModelDescription model_;
};

TEST(EngineMetricsTest, TellsTheEnginesAccountAsItIsNow) {
  BookKeeper engine;
  const EngineMetrics metrics(engine);
  const auto value = [&](const std::string& series) {
    return ValueOf(prometheus::TextSerializer().Serialize(metrics.Collect()), series);
  };
  EXPECT_EQ(value("antiphon_engine_steps_total"), 0);
  EXPECT_EQ(value("antiphon_engine_step_positions_count"), 0);

  engine.account = {.steps = 10,
                    .positions = 700,
                    .spoken_frames = 7,
                    .deadline_misses = 2,
                    .open_sequences = 3,
                    .pages_in_use = 40,
                    .step_ms_average = 2.5,
                    .step_ms_total = 30,
                    .pages = 512,
                    .forks = 6,
                    .forks_lost = 1,
                    .speculations_kept = 5,
                    .speculations_dropped = 4,
                    .speculative_steps = 60,
                    .speculative_steps_wasted = 20,
                    .prefix_hits = 9,
                    .prefix_misses = 8,
                    .prefix_positions = 144,
                    .prefix_pages = 11,
                    .timed_frames = 90,
                    .step_ms_predicted_total = 25,
                    .step_error_ms_total = 6,
                    .admission_headroom = 1.25};
  // 4 of 1 position, 3 of 2, 2 of 5 to 8, and one of more than 512.
  engine.account.steps_by_prediction = {1, 0, 5, 2, 0, 0, 0, 1};
  engine.account.steps_by_size = {4, 3, 0, 2, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(value("antiphon_engine_steps_total"), 10);
  EXPECT_EQ(value("antiphon_engine_positions_total"), 700);
  EXPECT_EQ(value("antiphon_engine_spoken_frames_total"), 7);
  EXPECT_EQ(value("antiphon_engine_deadline_misses_total"), 2);
  EXPECT_EQ(value("antiphon_engine_sequences_open"), 3);
  EXPECT_EQ(value("antiphon_engine_pages_in_use"), 40);
  EXPECT_EQ(value("antiphon_engine_pages"), 512);
  EXPECT_EQ(value("antiphon_engine_forks_total"), 6);
  EXPECT_EQ(value("antiphon_engine_forks_lost_total"), 1);
  EXPECT_EQ(value("antiphon_engine_speculations_kept_total"), 5);
  EXPECT_EQ(value("antiphon_engine_speculations_dropped_total"), 4);
  EXPECT_EQ(value("antiphon_engine_speculative_steps_total"), 60);
  EXPECT_EQ(value("antiphon_engine_speculative_steps_wasted_total"), 20);
  EXPECT_EQ(value("antiphon_engine_prefix_hits_total"), 9);
  EXPECT_EQ(value("antiphon_engine_prefix_misses_total"), 8);
  EXPECT_EQ(value("antiphon_engine_prefix_positions_total"), 144);
  EXPECT_EQ(value("antiphon_engine_prefix_pages"), 11);
  EXPECT_EQ(value("antiphon_engine_timed_frames_total"), 90);
  EXPECT_EQ(value("antiphon_engine_step_predicted_seconds_total"), 0.025);
  EXPECT_EQ(value("antiphon_engine_step_prediction_error_seconds_total"), 0.006);
  EXPECT_EQ(value("antiphon_engine_admission_headroom"), 1.25);
  EXPECT_EQ(value("antiphon_engine_step_prediction_ratio_bucket{le=\"0.5\"}"), 1);
  EXPECT_EQ(value("antiphon_engine_step_prediction_ratio_bucket{le=\"1\"}"), 6);
  EXPECT_EQ(value("antiphon_engine_step_prediction_ratio_bucket{le=\"4\"}"), 8);
  EXPECT_EQ(value("antiphon_engine_step_prediction_ratio_bucket{le=\"+Inf\"}"), 9);
  EXPECT_EQ(value("antiphon_engine_step_average_seconds"), 0.0025);
  EXPECT_EQ(value("antiphon_engine_step_seconds_total"), 0.03);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"1\"}"), 4);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"2\"}"), 7);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"4\"}"), 7);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"8\"}"), 9);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"512\"}"), 9);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"1024\"}"), std::nullopt);
  EXPECT_EQ(value("antiphon_engine_step_positions_bucket{le=\"+Inf\"}"), 10);
  EXPECT_EQ(value("antiphon_engine_step_positions_count"), 10);
  EXPECT_EQ(value("antiphon_engine_step_positions_sum"), 700);
}

}  // namespace
}  // namespace antiphon
