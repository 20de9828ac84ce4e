"""Spelling of common words: "spell cat" -> "cat is spelled c a t"."""

from .common import make_turn, pick
from .lexicon import SPELLING

NAME = "spelling"
WEIGHT = 11

ASK = ["how do you spell {w}", "spell {w}", "spell the word {w}", "can you spell {w}", "can you spell the word {w}",
       "tell me how to spell {w}", "how is {w} spelled", "what is the spelling of {w}", "how do you write {w}",
       "which letters are in {w}"]
OTHER = ["and {w}", "and the word {w}", "what about {w}", "and how do you spell {w}", "how about {w}", "and now {w}"]


def answer(word):
    return f"{word} is spelled {' '.join(word)}"


def _turn(rng, templates, word, after=None):
    return make_turn(rng, NAME, pick(rng, templates, w=word), answer(word), after=after, facts={"word": word})


def ask(rng):
    return _turn(rng, ASK, rng.choice(SPELLING))


def follow(rng, previous):
    word = rng.choice(SPELLING)
    return None if word == previous.facts["word"] else _turn(rng, OTHER, word, after=previous)
