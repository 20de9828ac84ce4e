"""Requests to draw: one thing or several, on a background, and changes to what was drawn."""

import scenes
from . import nouns
from .common import make_turn, pick

NAME = "drawing"

DRAW = ["draw {x}", "please draw {x}", "can you draw {x}", "draw me {x}", "paint {x}", "make a picture of {x}", "show me {x}",
        "i want a picture of {x}", "could you draw {x}", "draw a picture of {x}"]
ON = ["on a {c} background", "with a {c} background", "in front of a {c} background"]
RECOLOUR = ["make the background {c}", "change the background to {c}", "now with a {c} background", "paint the background {c}",
            "can you make the background {c}", "and now on a {c} background"]
ADD = ["now add {x}", "add {x}", "and add {x}", "please add {x}", "can you add {x}", "put {x} | next to it"]
ANOTHER = ["another | one", "draw another | one", "one more", "add another | one", "and one more"]
WHAT_DRAWN = ["what did you draw", "what have you drawn", "what is in your picture", "what is on your picture"]
_BLANK = "white"
_MOST = 4


def _article(colour):
    return ("an " if colour[0] in "aeiou" else "a ") + colour


def phrase(names):
    """"two dogs", "a dog and a cat"; equal names stand together."""
    groups = [(name, names.count(name)) for name in dict.fromkeys(names)]
    return nouns.listed([nouns.one(name) if count == 1 else nouns.several(name, count) for name, count in groups])


def _names(scene):
    return [thing.name for thing in scene.things]


def _turn(rng, template, answer, drawn, after=None):
    return make_turn(rng, NAME, template, answer, after=after, drawn=drawn, facts={"scene": drawn or after.facts["scene"]})


def ask(rng, names=None, colour=None):
    """names: default one to four things at random; colour: of the background, "" for the one nobody asked for."""
    if names is None:
        count = rng.choices((1, 2, 3, 4), (62, 24, 10, 4))[0]
        alike = count > 1 and rng.random() < 0.5
        names = [rng.choice(nouns.COUNTED)] * count if alike else rng.sample(nouns.NAMES, min(count, 3))
    if colour is None:
        colour = rng.choice(list(scenes.COLOURS)) if rng.random() < 0.4 else ""
    things = phrase(names)
    request, answer = things, f"here {'is' if len(names) == 1 else 'are'} {things}"
    if colour:
        request += " " + rng.choice(ON).format(c=colour).replace("a " + colour, _article(colour))
        answer += f" on {_article(colour)} background"
    return _turn(rng, pick(rng, DRAW, x=request.replace(" ", " | ")), answer, scenes.arranged(names, colour or _BLANK))


def follow(rng, previous):
    """A change to what was drawn, or a question about it."""
    scene = previous.facts["scene"]
    names, colour = _names(scene), scene.background.colour
    form = rng.random()
    if form < 0.4:
        colour = rng.choice([c for c in scenes.COLOURS if c != colour])
        template = pick(rng, RECOLOUR, c=colour).replace("a " + colour, _article(colour))
        return _turn(rng, template, f"now the background is {colour}", scenes.arranged(names, colour), previous)
    if form < 0.7 and len(names) < _MOST:
        name = rng.choice([n for n in nouns.NAMES if n not in names])
        return _turn(rng, pick(rng, ADD, x=nouns.one(name).replace(" ", " | ")), f"i added {nouns.one(name)}",
                     scenes.arranged([*names, name], colour), previous)
    if form < 0.9 and len(names) < _MOST and len(set(names)) == 1 and names[0] not in nouns.UNCOUNTED:
        return _turn(rng, rng.choice(ANOTHER), f"here are {nouns.several(names[0], len(names) + 1)}",
                     scenes.arranged([*names, names[0]], colour), previous)
    return _turn(rng, rng.choice(WHAT_DRAWN), "i drew " + phrase(names), None, previous)
