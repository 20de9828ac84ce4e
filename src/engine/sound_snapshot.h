// The codec's part of a snapshot: states of streams of audio to plain numbers and back.
#pragma once

#include "antiphon/status.h"
#include "engine/sequence_snapshot.h"
#include "model/audio_codec.h"

namespace antiphon {

SoundSnapshot Snapshot(const AudioHearingState& state);
SoundSnapshot Snapshot(const AudioDecoderState& state);

// Into a state that this codec made. REQUIRES: CheckSound was OK.
void RestoreSound(const SoundSnapshot& sound, AudioHearingState* state);
void RestoreSound(const SoundSnapshot& sound, AudioDecoderState* state);

// DATA_LOSS unless the states in it could be of this codec. May decode a frame to find out.
Status CheckSound(const SequenceSnapshot& snapshot, const AudioCodec& codec);

}  // namespace antiphon
