"""Counting from a to b, forwards and backwards, or simply to b."""

from .common import make_turn, pick
from .lexicon import number_words

NAME = "counting"
WEIGHT = 8

UP = ["count from {a} to {b}", "please count from {a} to {b}", "can you count from {a} to {b}", "count up from {a} to {b}",
      "tell me the numbers from {a} to {b}", "which numbers go from {a} to {b}", "start at {a} | and count to {b}",
      "say the numbers from {a} to {b}"]
DOWN = ["count down from {a} to {b}", "count from {a} down to {b}", "can you count down from {a} to {b}",
        "count backwards from {a} to {b}", "please count down from {a} to {b}", "start at {a} | and count down to {b}"]
TO = ["count to {b}", "please count to {b}", "can you count to {b}", "count up to {b}", "lets count to {b}", "i want you to count to {b}"]
OTHER = ["and from {a} to {b}", "what about from {a} to {b}", "and now from {a} to {b}", "how about from {a} to {b}",
         "now from {a} to {b}", "and then from {a} to {b}"]
GO_ON = ["and go on to {b}", "go on to {b}", "now go on to {b}", "keep counting to {b}", "keep going to {b}", "and on to {b}"]


def _turn(rng, templates, a, b, after=None):
    step = 1 if b >= a else -1
    answer = " ".join(number_words(n) for n in range(a, b + step, step))
    template = pick(rng, templates, a=number_words(a), b=number_words(b))
    return make_turn(rng, NAME, template, answer, after=after, facts={"from": a, "to": b})


def _range(rng):
    a = rng.randint(0, 20)
    return a, a + rng.randint(2, 8)


def ask(rng):
    form = rng.random()
    if form < 0.25:
        return _turn(rng, TO, 1, rng.choice((3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 15, 20)))
    a, b = _range(rng)
    return _turn(rng, UP, a, b) if form < 0.75 else _turn(rng, DOWN, b, a)


def follow(rng, previous):
    start, end = previous.facts["from"], previous.facts["to"]
    if rng.random() < 0.5 and start < end <= 20:
        b = end + rng.randint(2, 6)
        return _turn(rng, GO_ON, end + 1, b, after=previous)
    return _turn(rng, OTHER, *_range(rng), after=previous)
