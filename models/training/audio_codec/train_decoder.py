"""Stage 2: the source-filter decoder for the output voice, on the frozen tokens of stage 1.

    python3 train_decoder.py --data DIR --encoder encoder.pt --out decoder.pt --minutes 30

Codes of the whole output set are made once, so the encoder does not run while the decoder trains.
"""

import argparse
import json
import math
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shared_training import SharedTrainer, use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch
import torch.multiprocessing as mp

from corpus import utterances
from losses import SpectralLoss
from model import FRAME, SIZES, Codec
from pitch import track
from source_filter import HOP, NOISE_LENGTH, OUTPUT_DELAY, SourceFilterDecoder

# Fine in time: that is where consonants are. A fourth of 2048 costs a quarter of the step and changes little.
RESOLUTIONS = ((1024, 80), (512, 64), (256, 32))
CONTEXT = 2  # frames at the start of a crop that warm up the causal network and are not judged


class Examples:
    """The output voice as codes, wave and pitch, utterances end to end; kept in `cache`, if there is one."""

    def __init__(self, codec, folder, name, limit=None, cache=""):
        if cache and os.path.exists(cache):
            self.__dict__.update(torch.load(cache))
            return
        codes, waves, pitches, voiced = [], [], [], []
        for _, _, wave, _ in utterances(folder, name, limit):
            codes.append(codec.encode(wave)[0])
            waves.append(wave[0])
            log_pitch, is_voiced = track(wave[0])
            pitches.append(log_pitch)
            voiced.append(is_voiced)
        self.codes, self.waves = torch.cat(codes), torch.cat(waves)
        self.pitches, self.voiced = torch.cat(pitches), torch.cat(voiced)
        if cache:
            torch.save(self.__dict__, cache)

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


def work(rank, options, codec, decoder, trainer, examples, held_out, control):
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed * 10 + rank)
    spectral = SpectralLoss(RESOLUTIONS)
    trainer.attach(rank)
    log = open(options.out + ".jsonl", "a") if rank == 0 else None
    begin = last_log = last_save = time.time()
    step, last_step, sums = 0, 0, {}
    while True:
        if rank == 0:
            done = (time.time() - begin) / 60 / max(options.minutes, 1e-6)
            shape = 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
            control[0], control[1] = options.rate * min(1, (step + 1) / 100) * shape, done >= 1
        total, parts = losses(decoder, codec.quantiser, spectral, examples.crops(options.batch, options.frames, rng), rng)
        total.backward()
        trainer.barrier.wait()
        rate, stop = float(control[0]), bool(control[1])
        norm = trainer.step(rate)
        step += 1
        if rank == 0:
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            now = time.time()
            if now - last_log > 20 or stop:
                taken = step - last_step
                record = {name: round(value / taken, 4) for name, value in sums.items()}
                record.update(step=step, minutes=round((now - begin) / 60, 2), ms=round(1000 * (now - last_log) / taken),
                              norm=round(norm, 2), rate=round(rate, 6))
                if now - last_save > 180 or stop:
                    record.update(evaluate(decoder, codec, held_out, spectral))
                    torch.save(decoder.state_dict(), options.out if stop else options.out + ".part")
                    last_save = now
                print(json.dumps(record), file=log, flush=True)
                print(json.dumps(record), flush=True)
                last_log, last_step, sums = now, step, {}
        if stop:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    parser.add_argument("--data", default=folder + "/codec_data")
    parser.add_argument("--encoder", default=folder + "/encoder.pt")
    parser.add_argument("--out", default=folder + "/decoder.pt")
    parser.add_argument("--start", default="", help="decoder to go on from")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=8, help="crops a process and step")
    parser.add_argument("--frames", type=int, default=18, help="a crop")
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=None, help="utterances used")
    parser.add_argument("--cache", default="", help="file that keeps the prepared examples for a second run")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec = Codec()
    codec.load_state_dict(torch.load(options.encoder))
    codec.requires_grad_(False)
    begin = time.time()
    examples = Examples(codec, options.data, "output", options.limit, options.cache)
    held_out = Examples(codec, options.data, "eval_output", 24)
    print(json.dumps({"frames": len(examples.codes), "seconds": round(time.time() - begin, 1),
                      "mean_log_pitch": round(float(examples.pitches[examples.voiced > 0].mean()), 3)}), flush=True)
    decoder = SourceFilterDecoder()
    if options.start:
        decoder.load_state_dict(torch.load(options.start))
    else:
        warm_start(decoder, codec)
    trainer = SharedTrainer(decoder.parameters(), options.processes)
    control = torch.zeros(2, dtype=torch.float64).share_memory_()
    context = mp.get_context("fork")
    arguments = (options, codec, decoder, trainer, examples, held_out, control)
    others = [context.Process(target=work, args=(rank, *arguments)) for rank in range(1, options.processes)]
    for process in others:
        process.start()
    work(0, *arguments)
    for process in others:
        process.join()


if __name__ == "__main__":
    main()
