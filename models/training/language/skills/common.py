"""What every skill shares: the Turn, the split of texts between training and tests, templates."""

import hashlib
import random
from dataclasses import dataclass, field

# Written as one word without apostrophe (that is what the transcript shows), spoken with it.
SPOKEN_WORDS = {"whats": "what's", "im": "i'm", "lets": "let's", "dont": "don't", "thats": "that's", "wheres": "where's",
                "whos": "who's"}
# The long form decides the split: a held-out "what is ..." must not be trained as "whats ...".
LONG_FORMS = {"whats": "what is", "im": "i am", "lets": "let us", "dont": "do not", "thats": "that is",
              "wheres": "where is", "whos": "who is"}

TRAIN, HELD, PAIR, ORDER, OPEN = "train", "held", "pair", "order", "open"


@dataclass(frozen=True)
class Turn:
    """One question and its answer. Both are lower-case words without punctuation or digits."""

    question: str
    answer: str
    skill: str
    key: str                       # what the split is decided on: the question, for a follow-up with its context
    split: str                     # TRAIN, HELD (text), PAIR (numbers never trained), ORDER (say: words in a new order),
                                   # OPEN (a word never trained)
    no_pause: frozenset = frozenset()  # word indices before which a pause would leave a complete question or open list
    facts: dict = field(default_factory=dict, compare=False)  # what follow-ups may build on
    typed: str = ""                # a written variant, filled in for typed test sets
    shown: tuple = ()              # scenes.Scene that the user shows with the question
    drawn: object = None           # the scenes.Scene that the answer draws
    declared: str | None = None    # signatures of functions that are declared before the question; "": none are any more
    call: str = ""                 # the function the answer calls, with its arguments
    result: str = ""               # what a function returned: it stands in the question's place

    @property
    def phase(self):
        """"dev" for a third of what is held out, "test" (steers no decision) for the rest."""
        return "dev" if bucket("phase " + self.key) < 300 else "test"

    @property
    def spoken(self):
        """How each word of the question is pronounced, one entry a word."""
        return [SPOKEN_WORDS.get(w, w) for w in self.question.split()]


def letter_positions(answer):
    """Indices of the answer's words that are letters to be named: those after "is spelled"."""
    words = answer.split()
    if "is spelled" not in answer:
        return range(0)
    return range(words.index("spelled") + 1, len(words))


def bucket(text):
    """A fixed number 0..999 for a text; the splits hang on it, so it must never change."""
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:4], "big") % 1000


def canonical(text):
    return " ".join(LONG_FORMS.get(w, w) for w in text.split())


def pair_is_held(a, b):
    """15 % of the unordered pairs 0..20 are never trained, in any operation, order or form."""
    return 0 <= a <= 20 and 0 <= b <= 20 and bucket(f"pair {min(a, b)} {max(a, b)}") < 150


def open_word_is_held(word):
    """A tenth of the open vocabulary is never trained, in any question."""
    return bucket("open word " + word) < 100


_OPENERS = ["please", "okay", "so", "now", "well", "hey wren", "wren", "hello |", "hello wren |", "and now", "okay wren"]
_CLOSERS = ["| please", "| wren"]


def dress(rng, template, openers=True, closers=True):
    """Sometimes adds a form of address or politeness before or after the question."""
    if openers and rng.random() < 0.22:
        template = rng.choice(_OPENERS) + " " + template
    if closers and rng.random() < 0.08:
        template = template + " " + rng.choice(_CLOSERS)
    return template


def unbroken(name):
    """A name of several words with the mark that no pause parts them; behind an article one may be made."""
    first, *others = name.split()
    joint = " " if first in ("a", "an", "the") else " | "
    return first + (joint + " | ".join(others) if others else "")


def _plain(template):
    return " ".join(token for token in template.split() if token != "|")


def _split_of(key, pair, order):
    if pair is not None and pair_is_held(*pair):
        return PAIR
    if order is not None and bucket("order " + order) < 100:
        return ORDER
    return HELD if bucket("text " + key) < 100 else TRAIN


def make_turn(rng, skill, template, answer, *, after=None, openers=True, closers=True, facts=None, pair=None, order=None,
              shown=(), drawn=None, split=None, declared=None, call="", result=""):
    """A turn from a question in which "|" marks a place where no pause may be made.

    The split is decided before the question is dressed, so a held-out text is held out in every dress.
    after: the Turn whose question this one depends on; openers, closers: whether an address or politeness may stand
    before or after the question; pair: its two numbers; order: the words to say, as one text; split: where another rule
    than those decides it; the rest as in Turn.
    """
    core = canonical(_plain(template))
    key = core if after is None else after.key + " / " + core
    words, no_pause = [], set()
    for token in dress(rng, template, openers, closers).split():
        if token == "|":
            no_pause.add(len(words))
        else:
            words.append(token)
    return Turn(" ".join(words), answer, skill, key, split or _split_of(key, pair, order), frozenset(no_pause),
                dict(facts or {}, kind=skill), shown=tuple(shown), drawn=drawn, declared=declared, call=call, result=result)


def pick(rng, templates, **slots):
    return rng.choice(templates).format(**slots)


def rng_of(*seed):
    return random.Random("/".join(map(str, seed)))
