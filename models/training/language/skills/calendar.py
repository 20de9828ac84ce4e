"""The day or month before or after another."""

from .common import make_turn, pick
from .lexicon import DAYS, MONTHS

NAME = "calendar"
WEIGHT = 9

ASK = ["what {k} comes {w} {d}", "which {k} comes {w} {d}", "what {k} is {w} {d}", "which {k} is {w} {d}",
       "tell me the {k} {w} {d}", "what is the {k} {w} {d}", "what comes {w} {d}", "name the {k} that comes {w} {d}",
       "do you know what {k} comes {w} {d}", "whats the {k} {w} {d}"]
OTHER = ["and {w} {d}", "what about {w} {d}", "and what comes {w} {d}", "and which one is {w} {d}", "and what {k} is {w} {d}",
         "how about {w} {d}"]
GO_ON = ["and {w} that", "and the one {w} that", "and what comes {w} that", "what about {w} that", "and which {k} comes {w} that",
         "and {w} this one"]
STEP = {"after": 1, "before": -1}


def _turn(rng, templates, table, i, relation, after=None):
    other = table[(i + STEP[relation]) % len(table)]
    kind = "day" if table is DAYS else "month"
    template = pick(rng, templates, k=kind, w=relation, d=table[i])
    return make_turn(rng, NAME, template, f"{other} comes {relation} {table[i]}", after=after,
                     facts={"table": kind, "last": other})


def _draw(rng, table):
    return rng.randrange(len(table)), rng.choice(("after", "before"))


def ask(rng):
    table = rng.choice((DAYS, MONTHS))
    return _turn(rng, ASK, table, *_draw(rng, table))


def follow(rng, previous):
    table = DAYS if previous.facts["table"] == "day" else MONTHS
    i, relation = _draw(rng, table)
    if rng.random() < 0.5:
        return _turn(rng, OTHER, table, i, relation, after=previous)
    return _turn(rng, GO_ON, table, table.index(previous.facts["last"]), relation, after=previous)
