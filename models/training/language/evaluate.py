"""One table of what Wren can do: every row at least 300 questions of sets that steered no decision.

    python3 evaluate.py --data /tmp/wren/data --codec codec_tokens.pt --decoder decoder.pt --out evaluation.json

Runs the exported model (models/wren: bfloat16 weights) in the streaming reference decoder, greedily. Questions are
audio that was encoded as a session's audio is; the model hears them frame by frame and ends the turn itself. Answers
are right when every word is. Without --codec and --decoder the rows that listen to the spoken answers are left out.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(_HERE, "..", "audio_codec"))  # last: its modules have names that ours have too

import dataset
import decode
import grammar
import recogniser
import scoring
import tokenizer as tokenizers
from safetensors_file import read_safetensors
from skills import repeating

_WREN = os.path.join(_HERE, "..", "..", "wren")

_SPOKEN = (
    ("spoken, held-out texts, training voices", "held_out_texts.train"),
    ("spoken, held-out texts, held-out voices", "held_out_texts.heldout"),
    ("spoken, texts of the training kind, training voices", "train_texts.train"),
    ("spoken, number pairs never trained, training voices", "held_out_pairs.train"),
    ("spoken, number pairs never trained, held-out voices", "held_out_pairs.heldout"),
    ("spoken, follow-up questions, training voices", "follow_ups.train"),
    ("spoken, follow-up questions, held-out voices", "follow_ups.heldout"),
    ("spoken, say one to three words in a new order, training voices", "say_new_orders.train"),
    ("spoken, say one to three words in a new order, held-out voices", "say_new_orders.heldout"),
)
_TYPED = (
    ("typed, held-out texts", "typed_held_out"),
    ("typed, texts of the training kind", "typed_train_texts"),
    ("typed, number pairs never trained", "typed_held_out_pairs"),
)


def load(folder):
    """-> (decode.ReferenceModel, tokenizer) of an exported model folder."""
    with open(os.path.join(folder, "config.json")) as source:
        config = json.load(source)
    weights = read_safetensors(os.path.join(folder, "backbone.safetensors"))
    tokenizer = tokenizers.load(os.path.join(folder, "tokenizer.model"))
    return decode.ReferenceModel(weights, config), tokenizer


class Voice:
    """Speaks codes through the codec's decoder and has pocketsphinx listen."""

    def __init__(self, codec, decoder):
        self.codec, self.decoder = codec, decoder

    def heard(self, codes, listening_grammar):
        """codes: list of [T, K] -> what the listener understood of each."""
        with tempfile.TemporaryDirectory() as work:
            np.savez(os.path.join(work, "codes.npz"), **{f"w{i}": np.array(c) for i, c in enumerate(codes)})
            with open(os.path.join(work, "heard.jsgf"), "w") as out:
                out.write(listening_grammar)
            command = [sys.executable, os.path.join(_HERE, "listen.py"), "--work", work]
            subprocess.run(command + ["--codec", self.codec, "--decoder", self.decoder], check=True)
            with open(os.path.join(work, "heard.json")) as source:
                return json.load(source)


def spoken_rows(model, tokenizer, data, limit):
    rows, endpoints = {}, []
    for label, name in _SPOKEN:
        conversations = dataset.load_questions(os.path.join(data, "eval", name + ".npz"))[:limit]
        scored = scoring.run_spoken(model, tokenizer, conversations)
        rows[label] = dict(scoring.summary(scored), skills=scoring.by_skill(scored))
        if name.startswith("held_out_texts"):
            endpoints += scored
    rows["endpoint, both held-out rows together"] = scoring.summary(endpoints)
    return rows


def typed_rows(model, tokenizer, count):
    rows = {}
    for label, name in _TYPED:
        scored = scoring.run_typed(model, tokenizer, grammar.test_set(name, count))
        rows[label] = dict(scoring.summary(scored), skills=scoring.by_skill(scored))
    return rows


def _agreement(texts, heard):
    errors = sum(scoring.word_errors(t.split(), h.split()) for t, h in zip(texts, heard))
    words = sum(len(t.split()) for t in texts)
    same = [t == h for t, h in zip(texts, heard)]
    return {"n": len(texts), "agree": scoring.percent(same), "listener_wer": round(100 * errors / words, 1)}


def listened_rows(model, tokenizer, data, voice, limit):
    """The answers' audio against the answers' text, beside the same for reference codes: the listener's ceiling."""
    dictionary = recogniser.known_words()
    possible = lambda text: text and all(word in dictionary for word in text.split())
    answers = {t: c for t, c in dataset.load_answers(data).items() if possible(t)}
    rows = {}
    conversations = dataset.load_questions(os.path.join(data, "eval", "held_out_texts.train.npz"))[:limit]
    scored = scoring.run_spoken(model, tokenizer, conversations, speak=True)
    usable = [s for s in scored if possible(s.answer_text) and len(s.result.codes) > 2]
    sentences = [t for t in answers if len(t.split()) > 2][:800] + [s.answer_text for s in usable]
    listening = recogniser.sentence_grammar(sentences)
    texts = [s.answer_text for s in usable]
    heard = voice.heard([s.result.codes for s in usable], listening)
    rows["spoken answers to those, heard by pocketsphinx, against their own text"] = _agreement(texts, heard)
    right = [h == s.answer for h, s in zip(heard, usable)]
    rows["the same, against the right answer"] = {"n": len(scored), "agree": round(100 * sum(right) / len(scored), 1)}
    referenced = [t for t in dict.fromkeys(texts) if t in answers]
    more = [t for t in sentences if t in answers and t not in referenced]
    referenced = (referenced + more)[: max(300, len(referenced))]
    ceiling = voice.heard([answers[t] for t in referenced], listening)
    rows["ceiling: reference codes of such answers"] = _agreement(referenced, ceiling)
    rows.update(_say_rows(model, tokenizer, data, voice, limit, dictionary, answers))
    return rows


def _say_rows(model, tokenizer, data, voice, limit, dictionary, answers):
    """One to three words: the listener chooses among all texts of the set and 2,000 others of that kind."""
    conversations = dataset.load_questions(os.path.join(data, "eval", "say_new_orders.train.npz"))[:limit]
    scored = scoring.run_spoken(model, tokenizer, conversations, speak=True)
    possible = lambda text: len(text.split()) <= 3 and all(word in dictionary for word in text.split())
    scored = [s for s in scored if possible(s.answer)]
    rng = random.Random(11)
    others = {t for t in (repeating.random_words(rng) for _ in range(6000)) if possible(t)}
    texts = [s.answer for s in scored]
    short = [t for t in answers if possible(t) and t not in texts][:300]
    listening = recogniser.sentence_grammar(sorted(others)[:2000] + texts + short)
    silence = [[0] * model.codebooks] * 3
    heard = voice.heard([s.result.codes if len(s.result.codes) > 2 else silence for s in scored], listening)
    rows = {"say one to three words in a new order, heard by pocketsphinx": _agreement(texts, heard)}
    if short:
        reference = voice.heard([answers[t] for t in short], listening)
        rows["ceiling: reference codes of such words"] = _agreement(short, reference)
    return rows


_COLUMNS = ("n", "right", "agree", "transcript_wer", "within_240_ms", "cut_in", "missed", "endpoint_ms_p50_p90")


def table(rows):
    """The rows as a Markdown table."""
    lines = ["| row | " + " | ".join(_COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for label, figures in rows.items():
        cells = [str(figures.get(column, "")) if figures.get(column) is not None else "" for column in _COLUMNS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Evaluates the exported Wren.")
    parser.add_argument("--model", default=_WREN)
    parser.add_argument("--data", help="folder of dataset.py, for the spoken rows")
    parser.add_argument("--codec", help="the codec's checkpoint: encoder and codebooks")
    parser.add_argument("--decoder", help="the codec's decoder checkpoint")
    parser.add_argument("--count", type=int, default=320, help="questions a row")
    parser.add_argument("--out", help="JSON file for all figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.time()
    model, tokenizer = load(options.model)
    rows = typed_rows(model, tokenizer, options.count)
    if options.data:
        rows.update(spoken_rows(model, tokenizer, options.data, options.count))
    if options.data and options.codec and options.decoder:
        voice = Voice(options.codec, options.decoder)
        rows.update(listened_rows(model, tokenizer, options.data, voice, options.count))
    print(table(rows))
    print(f"\n{time.time() - begin:.0f} s")
    if options.out:
        with open(options.out, "w") as out:
            json.dump(rows, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()
