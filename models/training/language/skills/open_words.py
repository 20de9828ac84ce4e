"""Spelling and repeating words that no other skill knows (data/open_words.txt): the ear and the voice must do without the
word's having been learnt. A tenth of the words is never trained, in any question."""

import os

from . import repeating, spelling
from .common import OPEN, TRAIN, make_turn, open_word_is_held, pick

NAME = "open_words"

_DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "open_words.txt")
with open(_DATA, encoding="utf-8") as _lines:
    WORDS = _lines.read().split()
TRAINED = [word for word in WORDS if not open_word_is_held(word)]
HELD_BACK = [word for word in WORDS if open_word_is_held(word)]

# What is held out is the word; these texts are trained.
SAY = ["say {w}", "please say {w}", "repeat {w}", "repeat after me {w}", "can you say {w}", "now say {w}", "say the word {w}",
        "please repeat {w}", "say after me {w}"]


def _words_of(split):
    return {TRAIN: TRAINED, OPEN: HELD_BACK}[split]


def spell(rng, split=TRAIN):
    word = rng.choice(_words_of(split))
    return make_turn(rng, NAME, pick(rng, spelling.ASK, w=word), spelling.answer(word), facts={"word": word}, split=split)


def say(rng, split=TRAIN):
    word = rng.choice(_words_of(split))
    template, answer = pick(rng, SAY, w="| " + word), word
    return make_turn(rng, NAME, template, answer, closers=False, facts={"word": word}, split=split)


def say_several(rng):
    """A few words of the training kind in a row, some of them the skills' own."""
    words = [rng.choice(TRAINED if rng.random() < 0.7 else repeating.all_words()) for _ in range(rng.randint(2, 5))]
    template = rng.choice(repeating.ASK) + " | " + " | ".join(words)
    return make_turn(rng, NAME, template, " ".join(words), closers=False, split=TRAIN)


def ask(rng):
    return rng.choices((spell, say, say_several), (45, 25, 30))[0](rng)
