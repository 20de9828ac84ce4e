// A session as a list of what was run: every input with the position at which it took effect, and the tokens
// that came out. Enough to run it again, and to see whether the same comes out.
//
// Recorded is what reached the model, not what was asked for: of a turn that silence ended there is the
// response that began at position n; of a cancel, that it went on after m positions; of a cut, the length
// that was left; of a frame of video, before which other row it was run. So nothing in it hangs on a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "antiphon/replay.h"
#include "antiphon/status.h"
#include "antiphon/types.h"
#include "antiphon/weight_format.h"
#include "engine/sequence_snapshot.h"
#include "model/model_config.h"
#include "model/stream_grammar.h"

namespace antiphon {

// What must be the same for the same tokens to come out.
struct RecordingHead {
  ModelIdentity model = {};
  WeightFormat weights = WeightFormat::kAsStored;
  // SimdLoops::name, and the form of the cache: tokens depend on both. (Products of float
  // weights are summed in the order of the loops' lanes.)
  std::string kernels = {};
};

// ---- Operations, in the order in which they took effect.

// The sequence stands here now: a response has begun or was given up, a turn was forgotten, the session was
// restored. With it comes what the response was begun with.
struct RecordedStand {
  StreamState stream = {};           // awaits no output
  std::vector<int64_t> answer = {};  // text pieces of the response so far
  SpeechManner manner = {};          // of the speech
};

// How symbols and codes are drawn from here on.
struct RecordedSampling {
  SamplingOptions sampling = {};
};

// Positions that were run with no output: typed text, pictures, video, what was restored or left of a cut
// answer.
struct RecordedInputs {
  int64_t position = 0;  // of the first of them
  std::vector<StreamPosition> positions = {};
};

// A frame of the user's speech.
struct RecordedFrame {
  int64_t position = 0;  // where its codes stand
  bool first = false;    // of a turn: the ears begin anew
  float threshold = 1.0f;
  std::vector<float> samples = {};  // frame_samples, finite
  std::vector<int64_t> codes = {};  // K, that came of it
  int64_t symbol = 0;               // that was written
};

// A position of a response.
struct RecordedAnswer {
  int64_t position = 0;
  int64_t symbol = 0;               // that was written
  std::vector<int64_t> codes = {};  // K that were drawn, or none
};

// Only the first `length` positions stay. The next operation that runs anything has a RecordedStand before
// it.
struct RecordedCut {
  int64_t length = 0;
};

// A frame of video has left the context: LanguageModel::CloseGap.
struct RecordedGap {
  int64_t first = 0;
  int64_t rows = 0;
};

struct RecordedEnd {
  RecordingEnd reason = RecordingEnd::kClosed;  // never kBrokenOff
};

using RecordedOperation = std::variant<RecordedStand, RecordedSampling, RecordedInputs, RecordedFrame,
                                       RecordedAnswer, RecordedCut, RecordedGap, RecordedEnd>;

// ---- Bytes: "antiphon recording\n", a format version, then records of a kind (1 byte), a size (4), so many
// bytes and the CRC-32 of all these (RFC 1952's); the first is the head. Numbers are little-endian. Each
// record is whole in itself, so any prefix of whole records is a recording.

// The bytes up to the first operation.
std::string WriteRecordingHead(const RecordingHead& head);
std::string WriteRecord(const RecordedOperation& operation);

// A recording that has been read and found whole. A value.
class Recording {
 public:
  // INVALID_ARGUMENT when the bytes are no recording, UNIMPLEMENTED for a format version not known,
  // DATA_LOSS for a wrong checksum or a value out of its range (with the record's place in the file),
  // FAILED_PRECONDITION when it belongs to another model. A last record of which only a part is there is
  // dropped: end() is then kBrokenOff. `config` outlives it.
  static Result<Recording> Read(std::string bytes, const ModelIdentity& model, const ModelConfig& config);

  const RecordingHead& head() const { return head_; }
  RecordingEnd end() const { return end_; }
  // The next operation, from the first on; nothing at the end. Never a RecordedEnd.
  std::optional<RecordedOperation> Next();

 private:
  Recording(std::string&& bytes, const ModelConfig& config) : bytes_(std::move(bytes)), config_(&config) {}

  struct Record {
    uint8_t kind = 0;
    std::string_view body;
  };
  // The record at `next_`, which it moves behind it; nothing at the end or where the last one breaks off.
  Result<std::optional<Record>> NextRecord();
  Status ReadHead(const ModelIdentity& model);
  Status ReadAll();

  std::string bytes_;
  const ModelConfig* config_;
  size_t next_ = 0;
  size_t last_ = 0;  // end of the last operation that is whole
  RecordingHead head_;
  RecordingEnd end_ = RecordingEnd::kBrokenOff;
};

}  // namespace antiphon
