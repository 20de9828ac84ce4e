"""How good the codec is: `python3 -m audio_codec.evaluate [--build BUILD_FOLDER]` prints a table and writes JSON.

Held-out texts in the output voice, encoded and decoded, judged by pocketsphinx beside the original: with a closed grammar
of sentences and with a free loop of 200 words. Bars: +2 and +12 points. With --build the tests that hold the C++ codec to
the trainer's vectors (streaming equals offline) run too.
"""

import argparse
import json
import os
import random
import subprocess


import numpy as np
import torch

import voices
from audio_codec import export, recogniser, sentences
from audio_codec.model import FRAME, SIZES
from audio_codec.source_filter import OUTPUT_DELAY

VOCABULARY = 200


def test_texts(folder, count):
    """Held-out sentences of the domain whose words together are at most VOCABULARY, and that vocabulary filled up."""
    known = recogniser.known_words()
    held_out = []
    for name in ("eval_output", "eval_input", "eval_seen"):
        with open(f"{folder}/{name}.json") as index:
            held_out += [entry[0] for entry in json.load(index)]
    rng = random.Random(5)
    domain = sorted({sentences.plain(sentences.domain(rng)) for _ in range(4000)})
    usable = lambda text: all(word in known and (len(word) > 1 or word in "ai") for word in text.split())
    domain = [text for text in domain if usable(text) and " is spelled " not in text]
    chosen, vocabulary = [], set()
    in_domain = set(domain)
    for text in dict.fromkeys(held_out):
        if text in in_domain and len(vocabulary | set(text.split())) <= VOCABULARY and len(chosen) < count:
            chosen.append(text)
            vocabulary |= set(text.split())
    for word in (word for text in domain for word in text.split()):
        if len(vocabulary) < VOCABULARY:
            vocabulary.add(word)
    others = rng.sample([text for text in domain if text not in chosen], 400)
    return chosen, sorted(set(chosen + others)), sorted(vocabulary)


@torch.no_grad()
def reconstruct(codec, decoder, wave, books=len(SIZES)):
    frames = -(-(len(wave) + OUTPUT_DELAY) // FRAME)
    padded = torch.zeros(1, frames * FRAME)
    padded[0, : len(wave)] = torch.from_numpy(wave)
    made, _ = decoder(codec.quantiser.decode(codec.encode(padded), books))
    return made[0, OUTPUT_DELAY : OUTPUT_DELAY + len(wave)].numpy()


def cpp_tests(build):
    result = subprocess.run([os.path.join(build, "bin", "model_test"), "--gtest_filter=*AudioCodec*"],
                            cwd=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."),
                            stdout=subprocess.PIPE, text=True)
    return {"passed": result.returncode == 0, "summary": result.stdout.strip().splitlines()[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    parser.add_argument("--codec", default=folder + "/codec_tokens.pt")
    parser.add_argument("--decoder", default=folder + "/decoder.pt")
    parser.add_argument("--data", default=folder + "/codec_data")
    parser.add_argument("--out", default=folder + "/codec_evaluation.json")
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--books", type=int, nargs="*", default=[len(SIZES)], help="numbers of codebooks to judge")
    parser.add_argument("--build", help="build folder with bin/model_test")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, decoder = export.load_codec(options.codec), export.load_decoder(options.decoder)
    texts, closed, vocabulary = test_texts(options.data, options.count)
    grammars = {"closed": recogniser.sentence_grammar(closed), "loop": recogniser.loop_grammar(vocabulary)}
    waves = [voices.synthesize(text, voices.OUTPUT_VOICE).wave for text in texts]
    made = {"original": waves}
    for books in options.books:
        made[f"{books} codebooks"] = [reconstruct(codec, decoder, wave, books) for wave in waves]
    report = {"texts": len(texts), "words": sum(len(t.split()) for t in texts), "closed_sentences": len(closed),
              "loop_words": len(vocabulary), "delay_ms": 1000 * OUTPUT_DELAY / 16000}
    print(f"{len(texts)} held-out texts, {report['words']} words; word error rate in per cent")
    print(f"{'':16s}{'closed grammar':>16s}{'free loop':>12s}")
    for name, set_ in made.items():
        row = {g: round(recogniser.word_error_rate(texts, recogniser.recognise(set_, text)), 1) for g, text in grammars.items()}
        report[name] = row
        print(f"{name:16s}{row['closed']:16.1f}{row['loop']:12.1f}", flush=True)
    print(f"delay beyond the frame: {report['delay_ms']:.0f} ms")
    if options.build:
        report["cpp"] = cpp_tests(options.build)
        print("C++ against the trainer's vectors:", "passed" if report["cpp"]["passed"] else "FAILED")
    with open(options.out, "w") as out:
        json.dump(report, out, indent=1)


if __name__ == "__main__":
    main()
