"""Stage 3: the source-filter decoder for the output voice, on the frozen tokens of stage 1.

    python3 -m audio_codec.train_decoder --data DIR --encoder codec_tokens.pt --out decoder.pt --minutes 30

Codes of the whole output set are made once, so the encoder does not run while the decoder trains. With --spoken half of
each batch are codes as the language model speaks them (its spoken_codes.py), to be made the same recorded sound.
"""

import argparse
import json
import math
import os
import time

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch

import training_loop
from audio_codec.corpus import add_data_option, utterances
from audio_codec.losses import SpectralLoss
from audio_codec.model import FRAME, SIZES, Codec
from audio_codec.pitch import track
from audio_codec.source_filter import HOP, NOISE_LENGTH, OUTPUT_DELAY, SourceFilterDecoder

# Fine in time: that is where consonants are. A fourth of 2048 costs a quarter of the step and changes little.
RESOLUTIONS = ((1024, 80), (512, 64), (256, 32))
CONTEXT = 2  # frames at the start of a crop that warm up the causal network and are not judged


class Examples:
    """The output voice as codes, wave and pitch, utterances end to end; kept in `cache`, if there is one."""

    def __init__(self, codec, folder, name, limit=None, cache=""):
        if cache and os.path.exists(cache):
            self.__dict__.update(torch.load(cache))
            return
        self._fill((codec.encode(wave)[0], wave[0]) for _, _, wave, _ in utterances(folder, name, limit))
        if cache:
            torch.save(self.__dict__, cache)

    @classmethod
    def spoken(cls, path):
        """Those of a file of the language model's spoken_codes.py."""
        with np.load(path) as data:
            codes, samples, bounds = data["codes"].astype(np.int64), data["samples"], data["bounds"]
        self = cls.__new__(cls)
        self._fill((torch.from_numpy(codes[a:b]), torch.from_numpy(samples[a * FRAME : b * FRAME].astype(np.float32) / 32768))
                   for a, b in zip(bounds[:-1], bounds[1:]))
        return self

    def _fill(self, pairs):
        codes, waves, pitches, voiced = [], [], [], []
        for code, wave in pairs:
            codes.append(code)
            waves.append(wave)
            log_pitch, is_voiced = track(wave)
            pitches.append(log_pitch)
            voiced.append(is_voiced)
        self.codes, self.waves = torch.cat(codes), torch.cat(waves)
        self.pitches, self.voiced = torch.cat(pitches), torch.cat(voiced)

    def crops(self, count, frames, rng):
        starts = rng.integers(0, len(self.codes) - frames, size=count)
        take = lambda values, unit: torch.stack([values[s * unit : (s + frames) * unit] for s in starts])
        return (take(self.codes, 1), take(self.waves, FRAME), take(self.pitches, FRAME // HOP),
                take(self.voiced, FRAME // HOP))


def delayed(values, count):
    return torch.nn.functional.pad(values, (count, 0))[:, : values.shape[1]]


def losses(decoder, quantiser, spectral, batch, rng):
    codes, wave, log_pitch, voiced = batch
    # Sometimes fewer codebooks, so that a wrong acoustic code does little harm.
    used = len(SIZES) if rng.random() < 0.8 else int(rng.integers(1, len(SIZES)))
    vectors = quantiser.decode(codes, used)
    # The network renders hop t - 1 at hop t (see OUTPUT_DELAY), so the source must be one hop late too.
    log_pitch, voiced = delayed(log_pitch, 1), delayed(voiced, 1)
    log_pitch[:, 0] = log_pitch[:, 1]
    made, predicted = decoder(vectors, log_pitch, int(rng.integers(0, NOISE_LENGTH)))
    skip = CONTEXT * FRAME
    wanted = delayed(wave, OUTPUT_DELAY)[:, skip:]
    spectrum = spectral(made[:, skip:], wanted, torch.ones(len(wave)))
    skip //= HOP
    pitch = ((predicted - log_pitch).abs() * (0.05 + voiced))[:, skip:].mean()
    return spectrum + 2 * pitch, {"spectrum": spectrum, "pitch": pitch}


@torch.no_grad()
def evaluate(decoder, codec, examples, spectral):
    """Spectral loss with the decoder's own pitch, and the median pitch error in semitones."""
    n = len(examples.codes)
    made, predicted = decoder(codec.quantiser.decode(examples.codes[None]))
    wanted = delayed(examples.waves[None], OUTPUT_DELAY)
    target, voiced = delayed(examples.pitches[None], 1), delayed(examples.voiced[None], 1)
    error = ((predicted - target).abs() * 12 / math.log(2))[voiced > 0]
    return {"held_out_spectrum": round(float(spectral(made, wanted, torch.ones(1))), 4),
            "pitch_semitones": round(float(error.median()), 3), "frames": n}


def warm_start(decoder, codec):
    """The first layers are those of stage 1's decoder."""
    mine, theirs = decoder.net.state_dict(), codec.decoder.net.state_dict()
    mine.update({k: v for k, v in theirs.items() if k in mine and mine[k].shape == v.shape})
    decoder.net.load_state_dict(mine)


class DecoderStage(training_loop.Stage):
    def __init__(self, options, codec, decoder, examples, spoken, held_out):
        self.options, self.codec, self.decoder = options, codec, decoder
        self.examples, self.spoken, self.held_out = examples, spoken, held_out

    def attach(self, rank):
        self.rng = np.random.default_rng(self.options.seed * 10 + rank)
        self.spectral = SpectralLoss(RESOLUTIONS)

    def losses(self):
        count, frames = self.options.batch, self.options.frames
        if self.spoken is None:
            batch = self.examples.crops(count, frames, self.rng)
        else:
            recorded = self.examples.crops(count - count // 2, frames, self.rng)
            batch = [torch.cat(pair) for pair in zip(recorded, self.spoken.crops(count // 2, frames, self.rng))]
        return losses(self.decoder, self.codec.quantiser, self.spectral, batch, self.rng)

    def evaluate(self, last):
        return evaluate(self.decoder, self.codec, self.held_out, self.spectral)

    def state(self):
        return self.decoder.state_dict()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    training_loop.add_options(parser, "decoder.pt", minutes=30, rate=6e-4, batch=8, seed=2)
    add_data_option(parser)
    parser.add_argument("--encoder", required=True, help="frozen tokens of stage 1")
    parser.add_argument("--start", default="", help="decoder to go on from")
    parser.add_argument("--spoken", default="", help="examples of the language model's spoken_codes.py")
    parser.add_argument("--frames", type=int, default=18, help="a crop")
    parser.add_argument("--limit", type=int, default=None, help="utterances used")
    parser.add_argument("--cache", default="", help="file that keeps the prepared examples for a second run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec = Codec()
    codec.load_state_dict(torch.load(options.encoder))
    codec.requires_grad_(False)
    begin = time.time()
    examples = Examples(codec, options.data, "output", options.limit, options.cache)
    held_out = Examples(codec, options.data, "eval_output", 24)
    spoken = Examples.spoken(options.spoken) if options.spoken else None
    print(json.dumps({"frames": len(examples.codes), "seconds": round(time.time() - begin, 1),
                      "mean_log_pitch": round(float(examples.pitches[examples.voiced > 0].mean()), 3)}), flush=True)
    decoder = SourceFilterDecoder()
    if options.start:
        decoder.load_state_dict(torch.load(options.start))
    else:
        warm_start(decoder, codec)
    training_loop.train(options, decoder.parameters(), DecoderStage(options, codec, decoder, examples, spoken, held_out))


if __name__ == "__main__":
    main()
