"""Wren's skills as an endless source of conversations, and the test sets that are kept out of it.

    rng = random.Random(1)
    dialogue = sample_dialogue(rng)                    one to four turns, nothing held out
    for turn in dialogue.turns: turn.question, turn.answer, turn.skill, ...
    typed_form(rng, turn)                              the question as somebody might type it
    test_set("held_out_texts", 300)                    list of Dialogue; score the turns in Dialogue.scored

What is held out (docs/wren_skills.md): 15 % of the unordered number pairs 0..20, in every operation and form; 10 % of
all other question texts (for follow-ups: of the questions with their context); 10 % of the word orders of "say" with one
to three words. A third of it is for development ("..._dev" sets); the rest steers no decision.
"""

import dataclasses
import random
import re
from dataclasses import dataclass

import scenes
from language.skills import (arithmetic, calendar, counting, drawing, memory, nouns, out_of_reach, repeating, seeing, smalltalk,
                             spelling)
from language.skills.common import HELD, ORDER, PAIR, TRAIN, rng_of
from language.skills.lexicon import TENS, UNITS
from language.skills.tables import CAPITAL_SKILL, COLOR_SKILL, OPPOSITE_SKILL

SKILLS = {skill.NAME: skill for skill in (arithmetic, calendar, OPPOSITE_SKILL, COLOR_SKILL, CAPITAL_SKILL, counting, spelling,
                                          repeating, smalltalk, memory, out_of_reach)}
_NAMES = sorted(SKILLS)
_WEIGHTS = [SKILLS[name].WEIGHT for name in _NAMES]
# Typed arithmetic is cheap and has far more problems to learn from.
_TYPED_WEIGHTS = [w * (2 if name == "arithmetic" else 1) for name, w in zip(_NAMES, _WEIGHTS)]
_FOLLOWED = [name for name in _NAMES if hasattr(SKILLS[name], "follow")]
_FOLLOW_WEIGHTS = [SKILLS[name].WEIGHT * (0.4 if name == "say" else 1.0) for name in _FOLLOWED]
_COMPLETE = smalltalk.fixed_questions() | memory.fixed_questions()

# Shapes of conversations; so weighted, 45 % of all questions stand in conversations of two to four turns.
_SHAPES = ("single", "follow", "recall", "echo", "unrelated")
_SHAPE_WEIGHTS = (73, 13, 7, 3, 4)


@dataclass(frozen=True)
class Dialogue:
    turns: tuple
    shape: str
    scored: tuple = ()  # indices of the turns a test set is about

    @property
    def fresh(self):
        """True when a turn is only right at the start of a conversation (asks for what nobody told)."""
        return any(turn.facts.get("fresh") for turn in self.turns)


def _until(draw, accept, tries=2000):
    for _ in range(tries):
        turn = draw()
        if turn is not None and accept(turn):
            return turn
    return None


def _accepts(split, phase=None):
    return lambda turn: turn.split == split and (phase is None or turn.phase == phase)


def _ask(rng, name, wide):
    return arithmetic.ask(rng, wide) if name == "arithmetic" else SKILLS[name].ask(rng)


def _follow(rng, previous, wide):
    name = previous.facts["kind"]
    return arithmetic.follow(rng, previous, wide) if name == "arithmetic" else SKILLS[name].follow(rng, previous)


def _single(rng, accept, wide=False):
    """A question that stands alone."""
    weights = _TYPED_WEIGHTS if wide else _WEIGHTS
    return _until(lambda: _ask(rng, rng.choices(_NAMES, weights)[0], wide), accept)


def _unfresh(accept):
    return lambda turn: accept(turn) and not turn.facts.get("fresh")


def _conversation(rng, shape, accept, wide):
    """Turns of one shape; the last satisfies `accept`, those before are training texts. None: nothing was found."""
    train = _accepts(TRAIN)
    if shape == "single":
        turns = [_single(rng, accept, wide)]
    elif shape == "follow":
        name = rng.choices(_FOLLOWED, _FOLLOW_WEIGHTS)[0]
        turns = [_until(lambda: _ask(rng, name, wide), train)]
        for last in ([False, True] if rng.random() < 0.35 else [True]):
            turns.append(_until(lambda: _follow(rng, turns[-1], wide), accept if last else train, 300))
            if turns[-1] is None:
                return None
    elif shape == "recall":
        told = _until(lambda: memory.tell(rng), train)
        between = [_single(rng, _unfresh(lambda t: train(t) and t.facts.get("fact") != told.facts["fact"]), wide)
                   for _ in range(rng.choices((0, 1, 2), (45, 38, 17))[0])]
        turns = [told, *between, _until(lambda: memory.ask_back(rng, told), accept, 300)]
    elif shape == "echo":
        first = _single(rng, lambda t: train(t) and len(t.answer.split()) <= 9, wide)
        turns = [first, _until(lambda: memory.echo(rng, first), accept, 300)]
    else:
        turns = [_single(rng, train, wide) for _ in range(rng.choice((1, 1, 2)))]
        turns.append(_single(rng, _unfresh(accept), wide))
    return None if any(turn is None for turn in turns) else tuple(turns)


def sample_dialogue(rng, split=TRAIN, typed=False):
    """A conversation drawn from `rng` (random.Random).

    split "train" holds nothing that is held out; with "held", "pair" or "order" the last turn is held out in that way
    and Dialogue.scored names it. typed=True adds arithmetic with operands up to 99, which is never spoken.
    """
    while True:
        shape = rng.choices(_SHAPES, _SHAPE_WEIGHTS)[0]
        turns = _conversation(rng, shape, _accepts(split), typed)
        if turns is not None:
            return Dialogue(turns, shape, () if split == TRAIN else (len(turns) - 1,))


# Conversations about pictures: how they begin, how often, and how often a question follows on the last.
_PICTURE_WEIGHTS = {"see": 46, "compare": 7, "draw": 44, "nothing": 3}
_PICTURE_FOLLOWS = (60, 28, 12)


def sample_picture_dialogue(rng):
    """A conversation about pictures that holds nothing that is held out. See Turn.shown and Turn.drawn."""
    train = _accepts(TRAIN)
    while True:
        begin = rng.choices(list(_PICTURE_WEIGHTS), list(_PICTURE_WEIGHTS.values()))[0]
        first = {"see": seeing.ask, "compare": seeing.compare, "draw": drawing.ask, "nothing": seeing.ask_of_nothing}[begin]
        turns = [_until(lambda: first(rng), train)]
        follow = drawing.follow if begin == "draw" else seeing.follow
        for _ in range(0 if begin == "nothing" else rng.choices((0, 1, 2), _PICTURE_FOLLOWS)[0]):
            turns.append(_until(lambda: follow(rng, turns[-1]), train, 300))
        if all(turn is not None for turn in turns):
            return Dialogue(tuple(turns), begin)


# Rows of the evaluation: scenes that no training has drawn, each with one question.
PICTURE_SETS = {
    "naming": lambda rng, n: seeing.ask(rng, scenes.random_scene(rng, [nouns.NAMES[n % len(nouns.NAMES)]]), "what"),
    "counting": lambda rng, n: seeing.ask(rng, kind="how_many"),
    "background": lambda rng, n: seeing.ask(rng, kind="background"),
    "sides": lambda rng, n: seeing.ask(rng, kind="where"),
    "is_there": lambda rng, n: seeing.ask(rng, kind="is_there"),
    "comparing": lambda rng, n: seeing.compare(rng),
    "drawing": lambda rng, n: drawing.ask(rng, [nouns.NAMES[n % len(nouns.NAMES)]]),
    "drawing_several": lambda rng, n: drawing.ask(rng, rng.sample(nouns.NAMES, rng.choice((2, 3)))),
}


def picture_set(name, n):
    """n conversations of one question about a picture, always the same; texts are of the training kind. A name with "_dev"
    at its end gives others, free for development."""
    rng, draw = rng_of("picture set", name), PICTURE_SETS[name.removesuffix("_dev")]
    turns = [_until(lambda: draw(rng, number), _accepts(TRAIN)) for number in range(n)]
    return [Dialogue((dataclasses.replace(turn, typed=typed_form(rng, turn)),), "single", (0,)) for turn in turns]


def pause_places(turn):
    """Word indices before which a speaker may pause without the question seeming complete."""
    words = turn.question.split()
    return [i for i in range(1, len(words))
            if i not in turn.no_pause and " ".join(words[:i]) not in _COMPLETE]


# --- typed forms

_TYPED_AS = {"whats": "what's", "im": "i'm", "lets": "let's", "dont": "don't", "thats": "that's", "wheres": "where's", "whos": "who's"}
_SHORTER = [("what is", "what's"), ("who is", "who's"), ("i am", "i'm"), ("where is", "where's"), ("do not", "don't")]
_SIGNS = {"plus": ["+", "plus"], "minus": ["-", "minus"], "times": ["*", "x", "times"]}
_NUMBER = {word: value for value, word in enumerate(UNITS)}
_NUMBER.update({word: value for value, word in TENS.items()})


def _with_digits(words):
    """Number words as digits: "twenty one plus three" -> "21 plus 3"."""
    result = []
    for word in words:
        value = _NUMBER.get(word)
        if value is None:
            result.append(word)
        elif 0 < value < 10 and result and result[-1] in _ROUND:
            result[-1] = str(int(result[-1]) + value)
        else:
            result.append(str(value))
    return result


_ROUND = {str(value) for value in TENS}


def typed_form(rng, turn):
    """A way to type a question: digits and signs, contractions, capitals, punctuation; often just as it is spoken."""
    words = turn.question.split()
    numeric = turn.skill in ("arithmetic", "counting") or "years old" in turn.question
    if numeric and rng.random() < 0.5:
        words = _with_digits(words)
        if turn.skill == "arithmetic" and rng.random() < 0.6:
            words = [rng.choice(_SIGNS[w]) if w in _SIGNS and 0 < i < len(words) - 1 else w for i, w in enumerate(words)]
            if rng.random() < 0.3:
                words = re.sub(r"(\d) ([-+*x]) (?=\d)", r"\1\2", " ".join(words)).split()
    text = " ".join(_TYPED_AS.get(w, w) if rng.random() < 0.8 else w for w in words)
    if rng.random() < 0.3 and turn.skill != "say":
        for long, short in _SHORTER:
            text = re.sub(rf"\b{long}\b", short, text)
    if rng.random() < 0.2 and turn.skill != "say":
        text = text.replace("color", "colour").replace("favorite", "favourite")
    style = rng.random()
    if style < 0.45:
        text = text[0].upper() + text[1:]
        text = re.sub(r"\bi\b", "I", text)
    elif style < 0.5:
        text = text.upper()
    if rng.random() < 0.5:
        text += rng.choice(("?", "?", "?", ".", "!", " ?")) if turn.skill not in ("say", "memory") else rng.choice((".", ".", "!", ""))
    return text


# --- test sets

def _draw_many(rng, n, draw):
    """n dialogues whose scored questions all differ."""
    found, seen = [], set()
    for _ in range(200 * n):
        dialogue = draw(rng)
        if dialogue is None or dialogue.turns[-1].key in seen:
            continue
        seen.add(dialogue.turns[-1].key)
        found.append(dialogue)
        if len(found) == n:
            return found
    raise ValueError(f"only {len(found)} of {n} different questions exist")


def _of_shape(rng, shapes, accept):
    shape = rng.choices(*shapes)[0]
    turns = _conversation(rng, shape, accept, False)
    return turns and Dialogue(turns, shape, (len(turns) - 1,))


_ALONE = (("single",), (1,))
_CONTEXT = (("follow", "recall", "echo", "unrelated"), (45, 28, 12, 15))
_MIXED = (_SHAPES, _SHAPE_WEIGHTS)
TEST_SETS = {  # name -> (split of the scored turn, shapes)
    "train_texts": (TRAIN, _MIXED),
    "held_out_texts": (HELD, _ALONE),
    "follow_ups": (HELD, _CONTEXT),
    "held_out_pairs": (PAIR, (("single", "follow"), (85, 15))),
    "say_new_orders": (ORDER, _ALONE),
    "typed_held_out": (HELD, _MIXED),
    "typed_held_out_pairs": (PAIR, (("single", "follow"), (85, 15))),
    "typed_train_texts": (TRAIN, _MIXED),
}


def test_set(name, n):
    """n conversations, always the same. A name with "_dev" at its end gives other texts, free for development.

    Score the turns in Dialogue.scored (the last one); the turns before it are training texts that give the context. In
    the typed sets every turn has its written variant in Turn.typed.
    """
    base, dev = (name[:-4], True) if name.endswith("_dev") else (name, False)
    split, shapes = TEST_SETS[base]
    rng = rng_of("test set", name)
    accept = _accepts(split, "dev" if dev else "test") if split != TRAIN else _accepts(TRAIN)
    dialogues = _draw_many(rng, n, lambda r: _of_shape(r, shapes, accept))
    if base.startswith("typed"):
        dialogues = [dataclasses.replace(d, turns=tuple(dataclasses.replace(t, typed=typed_form(rng, t)) for t in d.turns))
                     for d in dialogues]
    return dialogues


def _summary():
    rng = random.Random(0)
    dialogues = [sample_dialogue(rng) for _ in range(20000)]
    turns = [turn for d in dialogues for turn in d.turns]
    print(f"{len(dialogues)} conversations, {len(turns)} questions, "
          f"{sum(len(d.turns) for d in dialogues if len(d.turns) > 1) / len(turns):.0%} of them in conversations of several turns, "
          f"{len({t.key for t in turns})} different questions, {len({t.answer for t in turns})} different answers")
    for name in _NAMES:
        mine = [t for t in turns if t.skill == name]
        print(f"\n{name}: {len(mine)} questions, {len({t.key for t in mine})} different, {len({t.answer for t in mine})} answers")
        for turn in mine[:4]:
            print(f"  {turn.question!r} -> {turn.answer!r}; typed {typed_form(rng, turn)!r}")
    for shape in _SHAPES[1:]:
        print(f"\n{shape}:", *[" | ".join(f"{t.question} -> {t.answer}" for t in d.turns)
                               for d in dialogues if d.shape == shape][:4], sep="\n  ")


if __name__ == "__main__":
    _summary()
