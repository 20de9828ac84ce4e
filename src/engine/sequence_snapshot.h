// A sequence between two steps as bytes that outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "model/model_config.h"
#include "model/stream_grammar.h"
#include "model/text_tokenizer.h"

namespace antiphon {

// What a codec remembers of a stream of audio: AudioHearingState or AudioDecoderState as plain numbers.
struct SoundSnapshot {
  std::vector<float> history;
  int64_t frames = 0;
  double phase = 0.0;
  // Of what is spoken only.
  SpeechManner manner = {};
  int64_t position = 0;
  int64_t last_hop = 0;

  friend bool operator==(const SoundSnapshot&, const SoundSnapshot&) = default;
};

// A turn that is open.
struct TurnSnapshot {
  StreamState before;         // where the grammar stood when it opened
  int64_t length_before = 0;  // positions then
  std::string transcript;
  TextDecoder::State decoder;  // of the transcript
  bool typed_last = false;
  bool lost = false;  // some of it was refused
  // Counts of what is in it: TurnEnded says what each means.
  int heard_frames = 0, text_pieces = 0, texts = 0, images = 0, results = 0, function_pieces = 0, video = 0;
  SoundSnapshot hearing;

  friend bool operator==(const TurnSnapshot&, const TurnSnapshot&) = default;
};

// A response that is under way, or was the last, while no turn has opened behind it.
struct ResponseSnapshot {
  std::optional<int64_t> begin;  // where it stands among the positions, if it can be cut
  bool spoken = false;
  bool speech_over = false;
  std::vector<int64_t> answer;  // its text pieces
  TextDecoder::State decoder;   // of the answer
  // WordAlignment: the first piece of each word, the pieces before it, and the scores of each frame.
  std::vector<int64_t> words, pieces_before;
  std::vector<std::vector<float>> scores;
  int spoken_frames = 0;
  int64_t spoken_samples = 0;
  std::vector<int> image_codes;  // of the picture drawn last
  int drawn_images = 0;
  TextDecoder::State call_decoder;
  int calls = 0, call_pieces = 0;
  SamplingOptions sampling;
  SoundSnapshot speech;  // of a response under way
};

// What a sequence is made of, as far as its next step depends on it. Keys and values are not in it: they
// follow from the positions. Nor is there a sampler's state: see SequenceState.
struct SequenceSnapshot {
  // A frame of video that is still in the context.
  struct VideoPlace {
    int64_t first = 0;  // its first position
    friend bool operator==(const VideoPlace&, const VideoPlace&) = default;
  };

  StreamState stream;                             // awaits no output
  std::vector<StreamPosition> positions;          // inputs only
  std::vector<VideoPlace> video;                  // in the order of their positions
  std::optional<TurnSnapshot> turn = {};          // exactly within a turn
  std::optional<ResponseSnapshot> response = {};  // always within a response
};

// Which model a snapshot belongs to.
struct ModelIdentity {
  std::string name;
  std::string version;
  uint32_t weights = 0;  // CRC-32 of the file of the backbone

  friend bool operator==(const ModelIdentity&, const ModelIdentity&) = default;
};

// The bytes: "antiphon session\n", a format version, a CRC-32 of what follows (RFC 1952's), then the model's
// identity, the state of the grammar, the positions, the video, the open turn and the response. Integers are
// little-endian. 5 bytes a position, 4 more a code of speech, and 10 to 200 KB for the codec within a turn or
// a response. REQUIRES: snapshot.stream awaits no output.
std::string WriteSnapshot(const SequenceSnapshot& snapshot, const ModelIdentity& model);

// The snapshot in `bytes`, every value of which has been checked but for the codec's (sound_snapshot.h).
// Format version 1, which knew sequences between two turns only, is read too. INVALID_ARGUMENT when they are
// no snapshot, UNIMPLEMENTED for a format version that is not known, DATA_LOSS for a wrong checksum or a
// value out of its range, FAILED_PRECONDITION when they belong to another model: each says which.
Result<SequenceSnapshot> ReadSnapshot(std::string_view bytes, const ModelIdentity& model,
                                      const ModelConfig& config);

}  // namespace antiphon
