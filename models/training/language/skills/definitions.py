"""What common things are: "what is a violin" -> "a violin is a small instrument with four strings" (data/definitions.tsv)."""

import os

from .common import make_turn, pick, unbroken

NAME = "definitions"
WEIGHT = 26

_DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "definitions.tsv")
with open(_DATA, encoding="utf-8") as _rows:
    # The thing with its article, if it has one -> "is ..." or "are ...".
    DEFINITIONS = dict(row.rstrip("\n").split("\t") for row in _rows)
ITEMS = sorted(DEFINITIONS)

ASK = ["what {be} {x}", "tell me what {x} {be}", "can you tell me what {x} {be}", "do you know what {x} {be}", "explain what {x} {be}",
       "define {n}", "what does {n} mean", "what is the meaning of {n}", "what does the word {n} mean", "give me a definition of {n}",
       "how do you define {n}"]
ASK_OF_ONE = ["whats {x}"]
OTHER = ["and {x}", "and what about {x}", "what about {x}", "how about {x}", "and what {be} {x}", "and define {n}"]


def noun(item):
    """The thing without its article."""
    article, _, rest = item.partition(" ")
    return rest if article in ("a", "an", "the") else item


NOUNS = frozenset(map(noun, ITEMS))


def answer(item):
    return f"{item} {DEFINITIONS[item]}"


def _turn(rng, templates, item, after=None):
    question = pick(rng, templates, x=unbroken(item), n=unbroken(noun(item)), be=DEFINITIONS[item].split()[0])
    return make_turn(rng, NAME, question, answer(item), after=after, facts={"item": item})


def ask(rng):
    item = rng.choice(ITEMS)
    return _turn(rng, ASK + ASK_OF_ONE if DEFINITIONS[item].startswith("is ") else ASK, item)


def follow(rng, previous):
    item = rng.choice(ITEMS)
    return None if item == previous.facts["item"] else _turn(rng, OTHER, item, after=previous)
