// A sequence between two turns as bytes that outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"
#include "model/model_config.h"
#include "model/stream_grammar.h"

namespace antiphon {

// What a sequence is made of, as far as its next turn depends on it. Keys and values are not in it: they
// follow from the positions.
struct SequenceSnapshot {
  // A frame of video that is still in the context.
  struct VideoPlace {
    int64_t first = 0;  // its first position
    friend bool operator==(const VideoPlace&, const VideoPlace&) = default;
  };

  StreamState stream;                     // between two turns
  std::vector<StreamPosition> positions;  // inputs only
  std::vector<VideoPlace> video;          // in the order of their positions
};

// Which model a snapshot belongs to.
struct ModelIdentity {
  std::string name;
  std::string version;
  uint32_t weights = 0;  // CRC-32 of the file of the backbone

  friend bool operator==(const ModelIdentity&, const ModelIdentity&) = default;
};

// The bytes: "antiphon session\n", a format version, a CRC-32 of what follows (RFC 1952's), then the model's
// identity, the state of the grammar, the positions and the video. Integers are little-endian. 5 bytes a
// position, and 4 more a code of speech. REQUIRES: snapshot.stream is neither in a turn nor in a response.
std::string WriteSnapshot(const SequenceSnapshot& snapshot, const ModelIdentity& model);

// The snapshot in `bytes`, every value of which has been checked. INVALID_ARGUMENT when they are no snapshot,
// UNIMPLEMENTED for a format version that is not known, DATA_LOSS for a wrong checksum or a value out of its
// range, FAILED_PRECONDITION when they belong to another model: each says which.
Result<SequenceSnapshot> ReadSnapshot(std::string_view bytes, const ModelIdentity& model,
                                      const ModelConfig& config);

}  // namespace antiphon
