"""One table of what Wren can do: every row at least 300 questions of sets that steered no decision.

    python3 -m language.evaluate --data /tmp/wren/data --codec codec_tokens.pt --decoder decoder.pt \\
        --pictures PICTURES --image-codec image_codec.pt --out evaluation.json

Runs the exported model (models/wren: bfloat16 weights) in the streaming reference decoder, greedily. Questions are
audio that was encoded as a session's audio is; the model hears them frame by frame and ends the turn itself. Answers
are right when every word is. Without --codec and --decoder the rows that listen to the spoken answers are left out,
without --pictures those about pictures. Drawings are named by the nearest of all things' own pictures
(image_codec/naming.py); beside it stands how that names the right drawings once they have gone through the codec.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

from safetensors_file import read_safetensors
from audio_codec import recogniser
import scenes
from image_codec import naming
from image_codec.export import load_codec
from image_codec.model import GRID
from language import dataset, decode, grammar, listen, picture_shards, scoring, tokenizer as tokenizers
from language.skills import open_words, repeating

_WREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "wren")

_SPOKEN = (
    ("spoken, held-out texts, training voices", "held_out_texts.train"),
    ("spoken, held-out texts, held-out voices", "held_out_texts.heldout"),
    ("spoken, held-out texts, noise at 10 dB, training voices", "noisy_texts.train"),
    ("spoken, held-out texts, noise at 10 dB, held-out voices", "noisy_texts.heldout"),
    ("spoken, texts of the training kind, training voices", "train_texts.train"),
    ("spoken, number pairs never trained, training voices", "held_out_pairs.train"),
    ("spoken, number pairs never trained, held-out voices", "held_out_pairs.heldout"),
    ("spoken, follow-up questions, training voices", "follow_ups.train"),
    ("spoken, follow-up questions, held-out voices", "follow_ups.heldout"),
    ("spoken, say one to three words in a new order, training voices", "say_new_orders.train"),
    ("spoken, say one to three words in a new order, held-out voices", "say_new_orders.heldout"),
    ("spoken, definitions, training voices", "definitions.train"),
    ("spoken, definitions, held-out voices", "definitions.heldout"),
    ("spoken, capitals and currencies, training voices", "countries.train"),
    ("spoken, capitals and currencies, held-out voices", "countries.heldout"),
    ("spoken, spell a word never trained, training voices", "open_spelling.train"),
    ("spoken, spell a word never trained, held-out voices", "open_spelling.heldout"),
    ("spoken, say a word never trained, training voices", "open_saying.train"),
    ("spoken, say a word never trained, held-out voices", "open_saying.heldout"),
    ("spoken, tone of voice, training voices", "tone.train"),
    ("spoken, tone of voice, held-out voices", "tone.heldout"),
    ("spoken, calls of functions and their results, training voices", "tools.train"),
    ("spoken, calls of functions and their results, held-out voices", "tools.heldout"),
)
_TYPED = (
    ("typed, held-out texts", "typed_held_out"),
    ("typed, texts of the training kind", "typed_train_texts"),
    ("typed, number pairs never trained", "typed_held_out_pairs"),
    ("typed, definitions", "typed_definitions"),
    ("typed, capitals and currencies", "typed_countries"),
    ("typed, spell a word never trained", "open_spelling"),
    ("typed, say a word never trained", "open_saying"),
    ("typed, calls of functions and their results", "tools"),
)


_PICTURES = (
    ("naming one of 288 things", "naming"),
    ("counting", "counting"),
    ("colour of the background", "background"),
    ("left, right, top, bottom", "sides"),
    ("is there a", "is_there"),
    ("what is to be seen now, of several pictures", "watching"),
    ("comparing two pictures", "comparing"),
    ("drawing one thing", "drawing"),
    ("drawing two or three things", "drawing_several"),
)


def load(folder):
    """-> (decode.ReferenceModel, tokenizer) of an exported model folder."""
    with open(os.path.join(folder, "config.json")) as source:
        config = json.load(source)
    weights = read_safetensors(os.path.join(folder, "backbone.safetensors"))
    tokenizer = tokenizers.load(os.path.join(folder, "tokenizer.model"))
    return decode.ReferenceModel(weights, config), tokenizer


class Evaluation:
    """Everything the tasks below share; they run in forked processes."""

    def __init__(self, options):
        self.options = options
        self.model, self.tokenizer = load(options.model)
        listens = options.codec and options.decoder
        self.listener = listen.Listener(options.codec, options.decoder) if listens else None
        self.painter = load_codec(options.image_codec) if options.image_codec else None
        self.namer = naming.Namer()
        self.dictionary = recogniser.known_words() if self.listener else set()
        self.answers = {}
        if self.listener:
            self.answers = {t: r.codes for t, r in dataset.load_answers(options.data).items() if self.can_be_heard(t)}

    def can_be_heard(self, text):
        return bool(text) and all(word in self.dictionary for word in text.split())

    def conversations(self, name):
        return dataset.load_questions(os.path.join(self.options.data, "eval", name + ".npz"))[: self.options.count]

    def spoken(self, name, speak=False):
        return scoring.run_spoken(self.model, self.tokenizer, self.conversations(name), speak)


def typed_row(evaluation, label, name):
    dialogues = (grammar.family_set if name in grammar.FAMILY_SETS else grammar.test_set)(name, evaluation.options.count)
    scored = scoring.run_typed(evaluation.model, evaluation.tokenizer, dialogues)
    return {label: dict(scoring.summary(scored), skills=scoring.by_skill(scored))}


def spoken_row(evaluation, label, name):
    scored = evaluation.spoken(name)
    return {label: dict(scoring.summary(scored), skills=scoring.by_skill(scored))}


def drawn_row(evaluation, label, name, results):
    """Whether the drawings show what was asked for, and whether the right ones would, as the codec paints them."""
    codec, namer = evaluation.painter, evaluation.namer
    wanted = [dialogue.turns[0].drawn for dialogue in grammar.picture_set(name, len(results))]
    drawn = [r.drawn[0] if r.drawn and len(r.drawn[0]) == GRID**2 else None for r in results]
    pictures = codec.decode(torch.tensor([codes or [0] * GRID**2 for codes in drawn]))
    right = [codes is not None and namer.right(p, scene) for codes, p, scene in zip(drawn, pictures, wanted)]
    best = codec.decode(codec.encode(naming.tensor([scenes.draw(scene) for scene in wanted])))
    ceiling = [namer.right(p, scene) for p, scene in zip(best, wanted)]
    return {label + ", named by its picture": {"n": len(right), "agree": scoring.percent(right)},
            label + ", ceiling: the right codes": {"n": len(ceiling), "agree": scoring.percent(ceiling)}}


def typed_picture_row(evaluation, label, name):
    path = os.path.join(evaluation.options.pictures, "eval", name + ".npz")
    scored = scoring.run_pictures(evaluation.model, evaluation.tokenizer, picture_shards.load(path))
    found = {"typed, pictures, " + label: scoring.summary(scored)}
    if name.startswith("drawing") and evaluation.painter:
        found.update(drawn_row(evaluation, "typed, pictures, " + label, name, [s.result for s in scored]))
    return found


def spoken_picture_row(evaluation, label, name, voices):
    scored = evaluation.spoken(f"picture_{name}.{voices}")
    return {f"spoken, pictures, {label}, {_VOICES[voices]}": scoring.summary(scored)}


_VOICES = {"train": "training voices", "heldout": "held-out voices"}


def _agreement(texts, heard):
    errors = sum(scoring.word_errors(t.split(), h.split()) for t, h in zip(texts, heard))
    words = sum(len(t.split()) for t in texts)
    same = [t == h for t, h in zip(texts, heard)]
    return {"n": len(texts), "agree": scoring.percent(same), "listener_wer": round(100 * errors / words, 1)}


def answers_heard(evaluation):
    """The answers' audio against their own text, beside the same for reference codes: the listener's ceiling. The
    listener chooses among the answers given and 800 others."""
    answers = evaluation.answers
    scored = evaluation.spoken("held_out_texts.train", speak=True)
    usable = [s for s in scored if evaluation.can_be_heard(s.answer_text) and len(s.result.codes) > 2]
    sentences = [t for t in answers if len(t.split()) > 2][:800] + [s.answer_text for s in usable]
    listening = recogniser.sentence_grammar(sentences)
    texts = [s.answer_text for s in usable]
    heard = evaluation.listener.heard([s.result.codes for s in usable], listening)
    right = sum(h == s.answer for h, s in zip(heard, usable))
    referenced = [t for t in dict.fromkeys(texts) if t in answers]
    referenced += [t for t in sentences if t in answers and t not in referenced]
    referenced = referenced[:150]
    ceiling = evaluation.listener.heard([answers[t] for t in referenced], listening)
    return {
        "spoken answers, heard by pocketsphinx, against their own text": _agreement(texts, heard),
        "the same, against the right answer": {"n": len(scored), "agree": round(100 * right / len(scored), 1)},
        "ceiling: reference codes of such answers": _agreement(referenced, ceiling),
    }


def open_words_heard(evaluation):
    """Say a word never trained: the listener chooses among the set's words and 400 others of that kind."""
    scored = [s for s in evaluation.spoken("open_saying.train", speak=True) if evaluation.can_be_heard(s.answer)]
    texts = [s.answer for s in scored]
    others = [word for word in open_words.WORDS if evaluation.can_be_heard(word) and word not in texts]
    listening = recogniser.sentence_grammar(sorted({*texts, *random.Random(13).sample(others, 400)}))
    silence = [[0] * evaluation.model.codebooks] * 3
    heard = evaluation.listener.heard([s.result.codes if len(s.result.codes) > 2 else silence for s in scored], listening)
    return {"say a word never trained, heard by pocketsphinx": _agreement(texts, heard)}


def words_heard(evaluation):
    """Say one to three words: the listener chooses among all texts of the set and 2,000 others of that kind."""
    possible = lambda text: len(text.split()) <= 3 and evaluation.can_be_heard(text)
    scored = [s for s in evaluation.spoken("say_new_orders.train", speak=True) if possible(s.answer)]
    rng = random.Random(11)
    others = {t for t in (repeating.random_words(rng) for _ in range(6000)) if possible(t)}
    texts = [s.answer for s in scored]
    short = [t for t in evaluation.answers if possible(t) and t not in texts][:150]
    listening = recogniser.sentence_grammar(sorted(others)[:2000] + texts + short)
    silence = [[0] * evaluation.model.codebooks] * 3
    codes = [s.result.codes if len(s.result.codes) > 2 else silence for s in scored]
    heard = evaluation.listener.heard(codes, listening)
    reference = evaluation.listener.heard([evaluation.answers[t] for t in short], listening)
    return {
        "say one to three words in a new order, heard by pocketsphinx": _agreement(texts, heard),
        "ceiling: reference codes of such words": _agreement(short, reference),
    }


_COLUMNS = ("n", "right", "agree", "transcript_wer", "within_240_ms", "cut_in", "missed", "endpoint_ms_p50_p90")


def table(rows):
    """The rows as a Markdown table."""
    lines = ["| row | " + " | ".join(_COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for label, figures in rows.items():
        cells = [str(figures.get(column, "")) if figures.get(column) is not None else "" for column in _COLUMNS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _endpoint_row(rows):
    """Both held-out rows as one; they have as many questions each."""
    halves = [rows[label] for label, name in _SPOKEN if name.startswith("held_out_texts") and label in rows]
    out = {"n": sum(half["n"] for half in halves)}
    for column in ("within_240_ms", "cut_in", "missed"):
        out[column] = round(sum(half[column] for half in halves) / len(halves), 1)
    return out


_evaluation = None  # set before the worker processes are forked


def _run(task):
    function, arguments = task
    torch.set_num_threads(1)
    return function(_evaluation, *arguments)


def main():
    parser = argparse.ArgumentParser(description="Evaluates the exported Wren.")
    parser.add_argument("--model", default=_WREN)
    parser.add_argument("--data", help="folder of dataset.py, for the spoken rows")
    parser.add_argument("--codec", help="the codec's frozen checkpoint: codebooks of what is spoken")
    parser.add_argument("--decoder", help="the codec's decoder checkpoint")
    parser.add_argument("--pictures", help="folder of picture_shards.py, for the rows about pictures")
    parser.add_argument("--image-codec", help="the image codec's checkpoint")
    parser.add_argument("--count", type=int, default=320, help="questions a row")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", default="typed,spoken,listened,pictures", help="which groups of rows to measure")
    parser.add_argument("--out", help="JSON file for all figures; rows that are not measured now stay in it")
    options = parser.parse_args()
    parts = options.parts.split(",")
    begin = time.time()
    global _evaluation
    _evaluation = Evaluation(options)
    tasks = [(typed_row, row) for row in _TYPED] if "typed" in parts else []
    there = lambda name: options.data and os.path.exists(os.path.join(options.data, "eval", name + ".npz"))
    if "spoken" in parts:
        tasks += [(spoken_row, row) for row in _SPOKEN if there(row[1])]
    if _evaluation.listener and "listened" in parts:
        tasks += [(answers_heard, ()), (words_heard, ())]
        if there("open_saying.train"):
            tasks.append((open_words_heard, ()))
    if options.pictures and "pictures" in parts:
        tasks += [(typed_picture_row, row) for row in _PICTURES]
        for label, name in _PICTURES if options.data else ():
            exists = lambda voices: os.path.exists(os.path.join(options.data, "eval", f"picture_{name}.{voices}.npz"))
            tasks += [(spoken_picture_row, (label, name, voices)) for voices in _VOICES if exists(voices)]
    rows = {}
    if options.out and os.path.exists(options.out):
        with open(options.out) as source:
            rows = json.load(source)
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        for found in pool.imap(_run, tasks, chunksize=1):
            rows.update(found)
            print("done:", ", ".join(found), file=sys.stderr, flush=True)
    if there("held_out_texts.train") and "spoken" in parts:
        rows["endpoint, both held-out rows together"] = _endpoint_row(rows)
    print(table(rows))
    print(f"\n{time.time() - begin:.0f} s")
    if options.out:
        with open(options.out, "w") as out:
            json.dump(rows, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()
