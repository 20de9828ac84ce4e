#include "conversation/image_output.h"

#include <algorithm>
#include <utility>

#include "media/image.h"

namespace antiphon {

ImageOutput::ImageOutput(std::string response_id, const ModelDescription& model, const ImagePainter& painter,
                         const Clock& clock, EventSink& sink, TurnLedger& ledger)
    : response_id_(std::move(response_id)),
      model_(model),
      painter_(painter),
      clock_(clock),
      sink_(sink),
      ledger_(ledger) {}

void ImageOutput::OnImage(const ResponseImage& image) {
  if (image.index == begun_) {
    ++begun_;
    sink_.Send(server_event::ImageStarted{response_id_, image.index, model_.image_side, model_.image_side,
                                          model_.image_grid});
  }
  if (image.codes.empty() || image.index < complete_)
    return;  // nothing to paint, or told to be complete twice
  const auto earlier = std::ranges::find(unpainted_, image.index, &ResponseImage::index);
  if (earlier != unpainted_.end()) {
    *earlier = image;
  } else {
    unpainted_.push_back(image);
  }
  const auto all = static_cast<size_t>(model_.image_grid) * static_cast<size_t>(model_.image_grid);
  if (image.codes.size() >= all) complete_ = image.index + 1;
}

void ImageOutput::Restore(const State& state) {
  begun_ = state.begun;
  complete_ = state.complete;
  unpainted_.assign(state.unpainted.begin(), state.unpainted.end());
}

Status ImageOutput::PaintNext() {
  const ResponseImage image = std::move(unpainted_.front());
  unpainted_.pop_front();
  const Result<Image> painted = painter_(image.codes);
  if (!painted.ok()) return painted.status();
  Result<std::string> png = EncodePng(*painted);
  if (!png.ok()) return png.status();
  const int rows = static_cast<int>(image.codes.size()) / model_.image_grid;
  if (rows < model_.image_grid) {
    sink_.Send(server_event::ImageDelta{response_id_, image.index, rows, std::move(*png)});
  } else {
    sink_.Send(server_event::ImageDone{response_id_, image.index, std::move(*png)});
  }
  ledger_.ImageSent(clock_.Now());
  return OkStatus();
}

Status ImageOutput::Flush() {
  while (waiting()) {
    if (Status status = PaintNext(); !status.ok()) return status;
  }
  return OkStatus();
}

}  // namespace antiphon
