#include "client/answer_assembler.h"

#include <string>
#include <utility>

namespace antiphon::client {

Status AnswerAssembler::Add(const AudioDelta& delta) {
  if (delta.first_sample != answer_->audio.size()) {
    return DataLoss("audio_delta.first_sample is " + std::to_string(delta.first_sample) + " after " +
                    std::to_string(answer_->audio.size()) + " samples");
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
  answer_->text = done.text;
  answer_->end = done.end;
  answer_->usage = done.usage;
  answer_->ledger = done.ledger;
  if (done.end == ResponseEnd::kFailed) return Internal("the server failed to answer");
  return OkStatus();
}

}  // namespace antiphon::client
