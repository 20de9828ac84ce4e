#include "client/answer_assembler.h"

#include <string>
#include <utility>

namespace antiphon::client {
namespace {

std::string Joined(const std::string& before, const std::string& after) {
  return before.empty() || after.empty() ? before + after : before + " " + after;
}

// Counts add up, but for what is in use now.
Usage Sum(const Usage& before, const Usage& now) {
  Usage sum = now;
  sum.heard_frames += before.heard_frames;
  sum.input_text_pieces += before.input_text_pieces;
  sum.output_text_pieces += before.output_text_pieces;
  sum.spoken_frames += before.spoken_frames;
  sum.input_images += before.input_images;
  sum.output_images += before.output_images;
  sum.input_video_frames += before.input_video_frames;
  sum.dropped_video_frames += before.dropped_video_frames;
  sum.input_packets.recovered += before.input_packets.recovered;
  sum.input_packets.concealed += before.input_packets.concealed;
  sum.input_packets.late += before.input_packets.late;
  sum.input_packets.duplicates += before.input_packets.duplicates;
  sum.input_function_outputs += before.input_function_outputs;
  sum.input_function_pieces += before.input_function_pieces;
  sum.output_function_calls += before.output_function_calls;
  sum.output_function_pieces += before.output_function_pieces;
  return sum;
}

}  // namespace

void AnswerAssembler::Add(const TextDelta& delta) {
  const bool begins = answer_->text == earlier_text_;
  answer_->text = begins ? Joined(earlier_text_, delta.text) : answer_->text + delta.text;
}

Status AnswerAssembler::Add(const AudioDelta& delta) {
  const size_t samples = answer_->audio.size() - earlier_samples_;
  if (delta.first_sample != samples) {
    return DataLoss("audio_delta.first_sample is " + std::to_string(delta.first_sample) + " after " +
                    std::to_string(samples) + " samples");
  }
  answer_->audio.insert(answer_->audio.end(), delta.samples.begin(), delta.samples.end());
  return OkStatus();
}

void AnswerAssembler::Add(const ImageStarted& started) {
  images_[started.image_index] = {started.width, started.height, {}};
}

Status AnswerAssembler::Add(const ImageDone& done) {
  const auto begun = images_.find(done.image_index);
  if (begun == images_.end()) {
    return DataLoss("image_done of picture " + std::to_string(done.image_index) + ", which was never begun");
  }
  begun->second.png = done.png;
  answer_->images.push_back(std::move(begun->second));
  images_.erase(begun);
  return OkStatus();
}

Status AnswerAssembler::Add(const ResponseDone& done) {
  answer_->text = Joined(earlier_text_, done.text);
  answer_->end = done.end;
  answer_->usage = Sum(earlier_usage_, done.usage);
  if (!goes_on_) answer_->ledger = done.ledger;
  if (done.end == ResponseEnd::kFailed) return Internal("the server failed to answer");
  return OkStatus();
}

void AnswerAssembler::BeginNext() {
  goes_on_ = true;
  images_.clear();
  earlier_text_ = answer_->text;
  earlier_samples_ = answer_->audio.size();
  earlier_usage_ = answer_->usage;
}

}  // namespace antiphon::client
