#include "engine/sound_snapshot.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>

namespace antiphon {
namespace {

SoundSnapshot Plain(const AudioCodecState& state) {
  if (!state.history.defined()) return {.history = {}, .frames = state.frames, .phase = state.phase};
  const at::Tensor history = state.history.to(at::kCPU, at::kFloat).contiguous();
  const float* first = history.data_ptr<float>();
  return {.history = {first, first + history.numel()}, .frames = state.frames, .phase = state.phase};
}

void RestorePlain(const SoundSnapshot& sound, AudioCodecState* state) {
  if (!sound.history.empty()) {
    std::vector<float> history = sound.history;
    state->history.copy_(at::from_blob(history.data(), state->history.sizes()));
  }
  state->frames = sound.frames;
  state->phase = sound.phase;
}

bool Fits(const SoundSnapshot& sound, const AudioCodecState& state) {
  const int64_t size = state.history.defined() ? state.history.numel() : 0;
  return std::ssize(sound.history) == size;
}

Status Broken() { return DataLoss("the session's state of the codec is out of its range"); }

// The length of a hop is the codec's own affair: it is what a frame in this manner leaves behind.
int64_t HopOf(const SpeechManner& manner, const AudioCodec& codec) {
  AudioDecoderState state = codec.MakeDecoderState();
  state.manner = manner;
  const std::array<AudioDecoderState*, 1> states = {&state};
  codec.Decode(states,
               at::zeros({1, std::ssize(codec.codebook_sizes())}, state.history.options().dtype(at::kLong)));
  return state.last_hop;
}

}  // namespace

SoundSnapshot Snapshot(const AudioHearingState& state) { return Plain(state); }

SoundSnapshot Snapshot(const AudioDecoderState& state) {
  SoundSnapshot sound = Plain(state);
  sound.manner = state.manner;
  sound.position = state.position;
  sound.last_hop = state.last_hop;
  return sound;
}

void RestoreSound(const SoundSnapshot& sound, AudioHearingState* state) { RestorePlain(sound, state); }

void RestoreSound(const SoundSnapshot& sound, AudioDecoderState* state) {
  RestorePlain(sound, state);
  state->manner = sound.manner;
  state->position = sound.position;
  state->last_hop = sound.last_hop;
}

Status CheckSound(const SequenceSnapshot& snapshot, const AudioCodec& codec) {
  if (snapshot.turn && !Fits(snapshot.turn->hearing, codec.MakeHearingState())) return Broken();
  if (!snapshot.stream.in_response()) return OkStatus();
  const SoundSnapshot& speech = snapshot.response->speech;
  if (!Fits(speech, codec.MakeDecoderState())) return Broken();
  if (speech.manner != SpeechManner{} && !codec.has_manners()) return Broken();
  if (speech.last_hop != 0 && speech.last_hop != HopOf(speech.manner, codec)) return Broken();
  return OkStatus();
}

}  // namespace antiphon
