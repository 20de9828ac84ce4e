"""Questions about pictures: what is this, how many, what colour, what is where, is there a, compare two."""

import scenes
from . import nouns
from .common import make_turn, pick

NAME = "seeing"

WHAT_ONE = ["what is this", "whats this", "what do you see", "what is in the picture", "what is on this picture", "what can you see",
            "tell me what you see", "what does the picture show", "what do you see | here", "name what you see"]
WHAT_NOW = ["what do you see | now", "and now", "what is it | now", "and what is this", "and this"]
HOW_MANY = ["how many {p} are there", "how many {p} do you see", "how many {p} are in the picture", "count the {p}",
            "can you count the {p}", "how many {p} can you see"]
HOW_MANY_THINGS = ["how many things are there", "how many things do you see", "how many things are in the picture",
                   "count the things in the picture"]
BACKGROUND = ["what color is the background", "which color is the background", "what is the color of the background",
              "whats the color of the background", "what color does the background have", "tell me the color of the background"]
WHERE = {"left": ["what is on the left", "whats on the left", "what is on the left | side", "which thing is on the left",
                  "what do you see | on the left"],
         "right": ["what is on the right", "whats on the right", "what is on the right | side", "which thing is on the right",
                   "what do you see | on the right"],
         "top": ["what is at the top", "whats at the top", "what is on top", "which thing is at the top", "what do you see | at the top"],
         "bottom": ["what is at the bottom", "whats at the bottom", "which thing is at the bottom", "what do you see | at the bottom",
                    "what is below"]}
SEE_ANY = ["do you see {a}", "can you see {a}", "do you see {a} | in the picture", "does the picture show {a}"]
IS_THERE = SEE_ANY + ["is there {a}", "is there {a} | in the picture"]
NO_PICTURE = "i do not see a picture"
SAME = ["do both pictures show the same thing", "are both pictures the same", "do the two pictures show the same thing",
        "is it the same thing in both pictures"]
MORE = ["which picture has more things", "which picture shows more things", "where are more things",
        "in which picture are more things"]


def _turn(rng, templates, answer, shown, after=None, **slots):
    slots = {name: value.replace(" ", " | ") for name, value in slots.items()}
    return make_turn(rng, NAME, pick(rng, templates, **slots), answer, after=after, shown=shown,
                     facts={"scene": (shown or (after.facts["scene"],))[-1] if shown or after else None})


def _different(rng, scene):
    seen = {thing.name for thing in scene.things}
    return rng.choice([name for name in nouns.NAMES if name not in seen])


def _what(rng, scene, shown, after):
    names = [thing.name for thing in scene.things]
    newer = len(shown) > 1 or (shown and after is not None)
    templates = WHAT_NOW if newer and rng.random() < 0.7 else WHAT_ONE
    if len(names) > 1 and len(set(names)) == 1:
        return _turn(rng, templates, "i see " + nouns.several(names[0], len(names)), shown, after)
    if len(names) == 1:
        return _turn(rng, templates, nouns.this_is(names[0]), shown, after)
    return _turn(rng, templates, "i see " + nouns.listed([nouns.one(name) for name in names]), shown, after)


def _how_many(rng, scene, shown, after):
    names = [thing.name for thing in scene.things]
    if rng.random() < 0.35:
        things = "thing" if len(names) == 1 else "things"
        verb = "is" if len(names) == 1 else "are"
        return _turn(rng, HOW_MANY_THINGS, f"there {verb} {nouns.NUMBERS[len(names)]} {things}", shown, after)
    counted = [name for name in names if name not in nouns.UNCOUNTED]
    name = rng.choice(counted) if counted and rng.random() < 0.9 else rng.choice(nouns.COUNTED)
    count = names.count(name)
    answer = f"there {'is' if count == 1 else 'are'} {nouns.several(name, count)}"
    return _turn(rng, HOW_MANY, answer, shown, after, p=nouns.plural(name))


def _background(rng, scene, shown, after):
    return _turn(rng, BACKGROUND, f"the background is {scene.background.colour}", shown, after)


def sides(scene):
    """Side -> name of the one thing that is clearly there."""
    if len(scene.things) < 2:
        return {}
    margin, found = scenes.SIDE / 6, {}
    for side, place in (("left", lambda t: t.x), ("right", lambda t: -t.x), ("top", lambda t: t.y), ("bottom", lambda t: -t.y)):
        first, second = sorted(scene.things, key=place)[:2]
        if place(second) - place(first) > margin:
            found[side] = first.name
    return found


def _where(rng, scene, shown, after):
    found = sides(scene)
    if not found:
        return None
    side = rng.choice(sorted(found))
    place = f"at the {side}" if side in ("top", "bottom") else f"on the {side}"
    return _turn(rng, WHERE[side], f"i see {nouns.one(found[side])} {place}", shown, after)


def _is_there(rng, scene, shown, after):
    names = [thing.name for thing in scene.things]
    name = rng.choice(names) if rng.random() < 0.5 else _different(rng, scene)
    count, wanted = names.count(name), nouns.any_of(name)
    answer = "yes i see " + (nouns.one(name) if count == 1 else nouns.several(name, count))
    templates = SEE_ANY if name in nouns.UNCOUNTED else IS_THERE
    return _turn(rng, templates, answer if count else "no i do not see " + wanted, shown, after, a=wanted)


KINDS = {"what": _what, "how_many": _how_many, "background": _background, "where": _where, "is_there": _is_there}
_WEIGHTS = {"what": 40, "how_many": 18, "background": 10, "where": 18, "is_there": 14}


def random_scene(rng):
    """A scene to be asked about; a third of those with several things repeat one."""
    count = rng.choices((1, 2, 3, 4), (46, 28, 14, 12))[0]
    if count > 1 and rng.random() < 0.4:
        return scenes.random_scene(rng, [rng.choice(nouns.COUNTED)] * count)
    return scenes.random_scene(rng, rng.sample(nouns.NAMES, count))


def ask(rng, scene=None, kind=None):
    """A question about a scene that is shown with it; None if this kind cannot be asked of it."""
    scene = scene or random_scene(rng)
    kind = kind or rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return KINDS[kind](rng, scene, (scene,), None)


def follow(rng, previous):
    """Another question about the same picture, or what a new one shows."""
    if rng.random() < 0.3:
        scene = random_scene(rng)
        return _what(rng, scene, (scene,), previous)
    return more(rng, previous)


def more(rng, previous):
    """Another question about the same picture."""
    kind = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return KINDS[kind](rng, previous.facts["scene"], (), previous)


def compare(rng):
    """A question about two pictures."""
    if rng.random() < 0.5:
        first = rng.choice(nouns.NAMES)
        same = rng.random() < 0.5
        second = first if same else rng.choice([name for name in nouns.NAMES if name != first])
        shown = tuple(scenes.random_scene(rng, [name]) for name in (first, second))
        answer = (f"yes both show {nouns.one(first)}" if same
                  else f"no the first shows {nouns.one(first)} and the second shows {nouns.one(second)}")
        return _turn(rng, SAME, answer, shown)
    few, many = sorted(rng.sample((1, 2, 3, 4), 2))
    counts = [few, many]
    rng.shuffle(counts)
    shown = tuple(scenes.random_scene(rng, rng.sample(nouns.NAMES, count)) for count in counts)
    return _turn(rng, MORE, f"the {'first' if counts[0] > counts[1] else 'second'} picture has more things", shown)


def watch(rng):
    """A question about the newest of several pictures, as the frames of a video come: the same things moved, or others."""
    scene = random_scene(rng)
    names = [thing.name for thing in scene.things]
    before = [scenes.random_scene(rng, names) if rng.random() < 0.4 else random_scene(rng) for _ in range(rng.choice((1, 2, 3)))]
    kind = "what" if rng.random() < 0.6 else rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return KINDS[kind](rng, scene, (*before, scene), None)


def ask_of_nothing(rng):
    """A question about a picture that nobody has shown."""
    return _turn(rng, rng.choice((WHAT_ONE, BACKGROUND, HOW_MANY_THINGS)), NO_PICTURE, ())
