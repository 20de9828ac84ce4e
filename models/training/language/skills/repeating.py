"""Saying what one is told to: random words in any order, and small sentences. Endless."""

from .common import make_turn
from .words import ADJECTIVES, NOUNS, all_words

NAME = "say"
WEIGHT = 24

ASK = ["say", "repeat", "repeat after me", "please say", "can you say", "please repeat", "say after me", "now say",
       "read this", "i want you to say", "could you say"]
OTHER = ["and", "now", "and now", "now say", "and say", "then say"]
_PLACES = "in on under near behind above below beside inside with from".split()
_DID = """slept sang danced laughed waited worked played walked jumped looked fell stood ran lived cried smiled sat
stopped climbed""".split()
_MADE = """saw found liked wanted loved made moved carried painted washed opened needed followed watched pushed
remembered lost bought cleaned kept""".split()
_WHEN = ["today", "yesterday", "again", "at night", "every day", "this morning", "last summer", "before dinner", "all day long"]
_WORDS = all_words()


def random_words(rng):
    n = rng.choices((1, 2, 3, 4, 5, 6), (14, 20, 26, 18, 12, 10))[0]
    return " ".join(rng.choice(_WORDS) for _ in range(n))


def _phrase(rng):
    """A noun with an article and often an adjective."""
    parts = [rng.choice(("the", "the", "my", "your", "one", "every"))]
    if rng.random() < 0.5:
        parts.append(rng.choice(ADJECTIVES))
    return " ".join(parts + [rng.choice(NOUNS)])


def random_sentence(rng):
    form = rng.random()
    if form < 0.3:
        text = f"{_phrase(rng)} {rng.choice(_DID)} {rng.choice(_PLACES)} {_phrase(rng)}"
    elif form < 0.6:
        text = f"{_phrase(rng)} {rng.choice(_MADE)} {_phrase(rng)}"
    elif form < 0.75:
        text = f"{_phrase(rng)} is {rng.choice(ADJECTIVES)} and {rng.choice(ADJECTIVES)}"
    elif form < 0.9:
        text = f"{rng.choice(('we', 'they', 'you', 'i'))} {rng.choice(_MADE)} {_phrase(rng)} {rng.choice(_WHEN)}"
    else:
        text = f"there is {rng.choice(('no', 'one', 'another'))} {rng.choice(NOUNS)} {rng.choice(_PLACES)} {_phrase(rng)}"
    return text


def _turn(rng, opening, content, after=None):
    # Nothing but the speaker knows whether a list goes on: no pause inside it.
    template = opening + " " + " | ".join(content.split())
    order = content if len(content.split()) <= 3 else None
    return make_turn(rng, NAME, template, content, after=after, closers=False, order=order)


def _content(rng):
    return random_sentence(rng) if rng.random() < 0.25 else random_words(rng)


def ask(rng):
    return _turn(rng, rng.choice(ASK), _content(rng))


def dictate(rng):
    """More words than one would ask for in a conversation: each of them has to be heard and said for itself."""
    content = " ".join(rng.choice(_WORDS) for _ in range(rng.randint(3, 8)))
    return _turn(rng, rng.choice(ASK), content)


def follow(rng, previous):
    return _turn(rng, rng.choice(OTHER), random_words(rng), after=previous)
