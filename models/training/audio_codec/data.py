"""Makes the codec's speech: `python3 -m audio_codec.data --out DIR` writes training and evaluation sets, in parallel processes.

A set is three files: NAME.wave.npy (int16, 16 kHz, utterances end to end, each a multiple of 10 ms), NAME.labels.npy
(uint8, one phoneme class each 10 ms) and NAME.json ([text, voice, first sample, samples] for each utterance).

  output      the voice Wren speaks with, sentences without end
  input       training voices
  eval_output held-out sentences, output voice
  eval_input  held-out sentences, held-out voices
  eval_seen   held-out sentences, training voices

Held-out means: no text of an evaluation set occurs in a training set (checked here), and the voices are disjoint.
"""

import argparse
import json
import multiprocessing
import os
import random
import time

import numpy as np

import voices
from audio_codec import sentences

HOP = 160
EVALUATION_SEED = 9001


def _labels(phones, count):
    labels = np.zeros(count, np.uint8)
    for start, end, index in phones:
        labels[int(round(start * 100)) : int(round(end * 100))] = index
    return labels


def render(text, voice):
    """(int16 samples, labels) of a text, cut to a multiple of 10 ms."""
    speech = voices.synthesize(text, voice)
    count = len(speech.wave) // HOP
    return np.round(speech.wave[: count * HOP] * 32767).astype(np.int16), _labels(speech.phones, count)


def _part(job):
    """Utterances until `seconds` of speech (or `items` utterances) are made."""
    seed, split, seconds, items, forbidden = job
    rng = random.Random(seed)
    made, total = [], 0
    while total < seconds * voices.SAMPLE_RATE and len(made) < items:
        text = sentences.sentence(rng)
        if split == "output":
            voice = voices.Voice("flite", "slt", rng.uniform(0.95, 1.1))
        elif split == "evaluation":
            voice = voices.OUTPUT_VOICE
        else:
            voice = voices.sample_voice(rng, split)
        if sentences.plain(text) in forbidden:
            continue
        try:
            wave, labels = render(text, voice)
        except ValueError:  # an engine read a word its own way: times do not fit, leave it out
            continue
        made.append((sentences.plain(text), str(voice), wave, labels))
        total += len(wave)
    return made


def _write(folder, name, made):
    index, position = [], 0
    for text, voice, wave, _ in made:
        index.append([text, voice, position, len(wave)])
        position += len(wave)
    np.save(f"{folder}/{name}.wave.npy", np.concatenate([m[2] for m in made]))
    np.save(f"{folder}/{name}.labels.npy", np.concatenate([m[3] for m in made]))
    with open(f"{folder}/{name}.json", "w") as out:
        json.dump(index, out)
    print(json.dumps({"set": name, "utterances": len(made), "seconds": round(position / voices.SAMPLE_RATE)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default=os.environ.get("WREN_WORK", "/tmp/wren") + "/codec_data")
    parser.add_argument("--output-seconds", type=float, default=3600)
    parser.add_argument("--input-seconds", type=float, default=7200)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    start = time.time()
    parts = 8
    never = float("inf")
    with multiprocessing.Pool(options.processes) as pool:
        evaluation = pool.map(
            _part,
            [(EVALUATION_SEED, "evaluation", never, 120, set()), (EVALUATION_SEED, "heldout", never, 120, set()),
             (EVALUATION_SEED, "train", never, 60, set())],
        )
        held_out = {m[0] for made in evaluation for m in made}
        for name, made in zip(("eval_output", "eval_input", "eval_seen"), evaluation):
            _write(options.out, name, made)
        for name, split, seconds, seed in (("output", "output", options.output_seconds, 100),
                                           ("input", "train", options.input_seconds, 200)):
            jobs = [(seed + i, split, seconds / parts, never, held_out) for i in range(parts)]
            _write(options.out, name, [m for made in pool.map(_part, jobs, chunksize=1) for m in made])
    print(json.dumps({"minutes": round((time.time() - start) / 60, 2)}))


if __name__ == "__main__":
    main()
