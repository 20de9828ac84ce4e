// The codes of a response's pictures to the events that show them.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/server_event.h"
#include "conversation/turn_ledger.h"

namespace antiphon {

// Makes pixels of codes, as Engine::PaintImage does.
using ImagePainter = std::function<Result<Image>(std::span<const int> codes)>;

// One response's pictures. Painting takes long enough (some 15 ms) to keep a frame of speech waiting: what is
// to be painted is only noted, for its owner to paint when nothing more urgent waits, and a row not painted
// yet is given up for the next one of its picture. Not thread-safe.
class ImageOutput {
 public:
  // All but `response_id` outlive the output.
  ImageOutput(std::string response_id, const ModelDescription& model, const ImagePainter& painter,
              const Clock& clock, EventSink& sink, TurnLedger& ledger);

  // Tells the client of a picture that begins; notes what is to be painted of one that goes on.
  void OnImage(const ResponseImage& image);

  struct State {
    int begun = 0;                         // pictures
    int complete = 0;                      // of them, all rows were told
    std::vector<ResponseImage> unpainted;  // what waits
  };
  State Save() const { return {begun_, complete_, {unpainted_.begin(), unpainted_.end()}}; }
  void Restore(const State& state);

  bool waiting() const { return !unpainted_.empty(); }
  // Paints and sends the oldest picture that waits. The painter's error, with nothing sent.
  // REQUIRES: waiting().
  Status PaintNext();
  // Paints and sends all that waits.
  Status Flush();
  // Forgets what waits.
  void Drop() { unpainted_.clear(); }

 private:
  const std::string response_id_;
  const ModelDescription& model_;
  const ImagePainter& painter_;
  const Clock& clock_;
  EventSink& sink_;
  TurnLedger& ledger_;

  int begun_ = 0;                        // pictures
  int complete_ = 0;                     // of them, all rows were told
  std::deque<ResponseImage> unpainted_;  // one entry a picture at most
};

}  // namespace antiphon
