"""Wren's skills as an endless source of conversations, and the test sets that are kept out of it.

    rng = random.Random(1)
    dialogue = sample_dialogue(rng)                    one to four turns, nothing held out
    for turn in dialogue.turns: turn.question, turn.answer, turn.skill, ...
    typed_form(rng, turn)                              the question as somebody might type it
    sample_dialogue(rng, skills=("definitions",))      about some skills only
    sample_family(rng, "tools")                        open words, answers cut off, tone of voice, functions: see FAMILIES
    test_set("held_out_texts", 300)                    list of Dialogue; score the turns in Dialogue.scored

What is held out (docs/wren_skills.md): 15 % of the unordered number pairs 0..20, in every operation and form; 10 % of
all other question texts (for follow-ups: of the questions with their context); 10 % of the word orders of "say" with one
to three words; 10 % of the open words. A third of it is for development ("..._dev" sets); the rest steers no decision.
"""

import dataclasses
import random
import re
from dataclasses import dataclass

import scenes
from language.skills import (arithmetic, calendar, counting, definitions, drawing, manner, memory, nouns, open_words, out_of_reach,
                             repeating, seeing, smalltalk, spelling, tone, tools)
from language.skills.common import HELD, OPEN, ORDER, PAIR, TRAIN, rng_of
from language.skills.countries import CAPITAL_SKILL, CURRENCY_SKILL
from language.skills.lexicon import TENS, UNITS
from language.skills.tables import COLOR_SKILL, OPPOSITE_SKILL

SKILLS = {skill.NAME: skill for skill in (arithmetic, calendar, OPPOSITE_SKILL, COLOR_SKILL, CAPITAL_SKILL, CURRENCY_SKILL, counting,
                                          definitions, spelling, repeating, smalltalk, manner, memory, out_of_reach)}
# The skills that look up what was learnt by heart, and their share of all draws; the others keep their proportions. With
# what is told and asked back, which is never of them, they are about KNOWLEDGE_SHARE - 0.03 of all questions.
KNOWLEDGE = ("definitions", "capitals", "currencies")
KNOWLEDGE_SHARE = 0.33
_COMPLETE = smalltalk.fixed_questions() | memory.fixed_questions()

# Shapes of conversations; so weighted, 45 % of all questions stand in conversations of two to four turns.
_SHAPES = ("single", "follow", "recall", "echo", "unrelated")
_SHAPE_WEIGHTS = (73, 13, 7, 3, 4)


def _with_knowledge(weights):
    """{skill: weight} with the share that knowledge is to have."""
    known = sum(weight for name, weight in weights.items() if name in KNOWLEDGE)
    others = sum(weights.values()) - known
    scale = KNOWLEDGE_SHARE / (1 - KNOWLEDGE_SHARE) * others / known if known and others else 1.0
    return {name: weight * (scale if name in KNOWLEDGE else 1.0) for name, weight in weights.items()}


def _weighted(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


class _Mixture:
    """Which skills are asked about, and how often.

    wide: as typed questions are, with far more arithmetic; it is cheap and has many problems to learn from.
    """

    def __init__(self, names=SKILLS, wide=False):
        names = sorted(names)
        self.wide = wide
        self.asked = _with_knowledge({n: SKILLS[n].WEIGHT * (2 if wide and n == "arithmetic" else 1) for n in names})
        self.followed = _with_knowledge({n: SKILLS[n].WEIGHT * (0.4 if n == "say" else 1.0) for n in names
                                         if hasattr(SKILLS[n], "follow")})
        # What is told or said again belongs to no skill but memory.
        possible = ["single", "unrelated"] + ["follow"] * bool(self.followed)
        self.shapes = [shape for shape in _SHAPES if set(names) == set(SKILLS) or shape in possible]
        self.shape_weights = [_SHAPE_WEIGHTS[_SHAPES.index(shape)] for shape in self.shapes]

    def ask(self, rng, name=None):
        """A question, of the named skill or of any."""
        name = name or _weighted(rng, self.asked)
        return arithmetic.ask(rng, self.wide) if name == "arithmetic" else SKILLS[name].ask(rng)

    def follow(self, rng, previous):
        name = previous.facts["kind"]
        return arithmetic.follow(rng, previous, self.wide) if name == "arithmetic" else SKILLS[name].follow(rng, previous)


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


def _single(rng, accept, mixture):
    """A question that stands alone."""
    return _until(lambda: mixture.ask(rng), accept)


def _unfresh(accept):
    return lambda turn: accept(turn) and not turn.facts.get("fresh")


def _conversation(rng, shape, accept, mixture):
    """Turns of one shape; the last satisfies `accept`, those before are training texts. None: nothing was found."""
    train = _accepts(TRAIN)
    if shape == "single":
        turns = [_single(rng, accept, mixture)]
    elif shape == "follow":
        name = _weighted(rng, mixture.followed)
        turns = [_until(lambda: mixture.ask(rng, name), train)]
        for last in ([False, True] if rng.random() < 0.35 else [True]):
            turns.append(_until(lambda: mixture.follow(rng, turns[-1]), accept if last else train, 300))
            if turns[-1] is None:
                return None
    elif shape == "recall":
        told = _until(lambda: memory.tell(rng), train)
        between = [_single(rng, _unfresh(lambda t: train(t) and t.facts.get("fact") != told.facts["fact"]), mixture)
                   for _ in range(rng.choices((0, 1, 2), (45, 38, 17))[0])]
        turns = [told, *between, _until(lambda: memory.ask_back(rng, told), accept, 300)]
    elif shape == "echo":
        first = _single(rng, lambda t: train(t) and len(t.answer.split()) <= 9, mixture)
        turns = [first, _until(lambda: memory.echo(rng, first), accept, 300)]
    else:
        turns = [_single(rng, train, mixture) for _ in range(rng.choice((1, 1, 2)))]
        turns.append(_single(rng, _unfresh(accept), mixture))
    return None if any(turn is None for turn in turns) else tuple(turns)


_ALL = {wide: _Mixture(wide=wide) for wide in (False, True)}


def sample_dialogue(rng, split=TRAIN, typed=False, skills=None):
    """A conversation drawn from `rng` (random.Random).

    split "train" holds nothing that is held out; with "held", "pair" or "order" the last turn is held out in that way
    and Dialogue.scored names it. typed=True adds arithmetic with operands up to 99, which is never spoken.
    skills: names of SKILLS; nothing else is asked about then.
    """
    mixture = _Mixture(skills, typed) if skills else _ALL[typed]
    while True:
        shape = rng.choices(mixture.shapes, mixture.shape_weights)[0]
        turns = _conversation(rng, shape, _accepts(split), mixture)
        if turns is not None:
            return Dialogue(turns, shape, () if split == TRAIN else (len(turns) - 1,))


# Conversations about pictures: how they begin, how often, and how often a question follows on the last.
_PICTURE_WEIGHTS = {"see": 42, "watch": 7, "compare": 7, "draw": 41, "nothing": 3}
_PICTURE_FOLLOWS = (60, 28, 12)


def sample_picture_dialogue(rng):
    """A conversation about pictures that holds nothing that is held out. See Turn.shown and Turn.drawn."""
    train = _accepts(TRAIN)
    while True:
        begin = rng.choices(list(_PICTURE_WEIGHTS), list(_PICTURE_WEIGHTS.values()))[0]
        first = {"see": seeing.ask, "watch": seeing.watch, "compare": seeing.compare, "draw": drawing.ask,
                 "nothing": seeing.ask_of_nothing}[begin]
        turns = [_until(lambda: first(rng), train)]
        follow = drawing.follow if begin == "draw" else seeing.follow
        for _ in range(0 if begin == "nothing" else rng.choices((0, 1, 2), _PICTURE_FOLLOWS)[0]):
            turns.append(_until(lambda: follow(rng, turns[-1]), train, 300))
        if all(turn is not None for turn in turns):
            return Dialogue(tuple(turns), begin)


def picture_interview(rng, scene, questions):
    """So many questions about one scene, which is shown with the first; nothing held out."""
    train = _accepts(TRAIN)
    while True:
        turns = [_until(lambda: seeing.ask(rng, scene), train)]
        for _ in range(questions - 1):
            turns.append(_until(lambda: seeing.more(rng, turns[-1]), train, 300))
            if turns[-1] is None:
                break
        if turns[-1] is not None:
            return Dialogue(tuple(turns), "interview")


# Rows of the evaluation: scenes that no training has drawn, each with one question.
PICTURE_SETS = {
    "naming": lambda rng, n: seeing.ask(rng, scenes.random_scene(rng, [nouns.NAMES[n % len(nouns.NAMES)]]), "what"),
    "counting": lambda rng, n: seeing.ask(rng, kind="how_many"),
    "background": lambda rng, n: seeing.ask(rng, kind="background"),
    "sides": lambda rng, n: seeing.ask(rng, kind="where"),
    "is_there": lambda rng, n: seeing.ask(rng, kind="is_there"),
    "watching": lambda rng, n: seeing.watch(rng),
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


# --- families: conversations that the mixture of skills above does not hold

def _open_dialogue(rng):
    return [_until(lambda: open_words.ask(rng), _accepts(TRAIN)) for _ in range(rng.choices((1, 2, 3), (60, 25, 15))[0])]


def _again_dialogue(rng):
    """An answer of some words, asked for once more: training cuts most of them off (mixture.py)."""
    train = _accepts(TRAIN)
    first = _single(rng, lambda turn: train(turn) and 2 < len(turn.answer.split()) <= 16, _ALL[False])
    return [first, _until(lambda: memory.again(rng, first), train)]


def _tone_dialogue(rng):
    """Sometimes the user has said something else first, in the same tone."""
    before = [_single(rng, _unfresh(_accepts(TRAIN)), _ALL[False])] if rng.random() < 0.3 else []
    return [*before, tone.ask(rng)]


def _tool_dialogue(rng):
    """One request or two, sometimes after or around another question."""
    train, declared, turns = _accepts(TRAIN), tools.declare(rng), []
    requests = rng.choices((1, 2), (75, 25))[0]
    for number in range(requests):
        if rng.random() < 0.25:
            turns.append(_single(rng, _unfresh(train), _ALL[False]))
            if number == 0 and declared:
                turns[-1] = dataclasses.replace(turns[-1], declared=tools.signatures(declared))
        turns += _until(lambda: tools.request(rng, declared, new=not turns), lambda some: train(some[0]))
    return turns


FAMILIES = {"open_words": _open_dialogue, "again": _again_dialogue, "tone": _tone_dialogue, "tools": _tool_dialogue}


def sample_family(rng, name):
    """A conversation of one family that holds nothing that is held out."""
    return Dialogue(tuple(FAMILIES[name](rng)), name)


# Rows of the evaluation. Tones and requests are of the training's texts and of held-out ones; open words were never trained.
FAMILY_SETS = {
    "open_spelling": lambda rng, phase: [_until(lambda: open_words.spell(rng, OPEN), _accepts(OPEN, phase))],
    "open_saying": lambda rng, phase: [_until(lambda: open_words.say(rng, OPEN), _accepts(OPEN, phase))],
    "tone": lambda rng, phase: [tone.ask(rng)],
    "tools": lambda rng, phase: _until(lambda: tools.request(rng, sorted(tools.SIGNATURES)),
                                       lambda some: len(some) == 2 and _accepts(HELD, phase)(some[0])),
}


def family_of(name):
    """The family that one of FAMILY_SETS is about."""
    return "open_words" if name.startswith("open_") else name.removesuffix("_dev")


def family_set(name, n):
    """n conversations, always the same, whose turns are all scored. A name with "_dev" at its end gives others, free for
    development."""
    rng, phase, draw = rng_of("family set", name), "dev" if name.endswith("_dev") else "test", FAMILY_SETS[name.removesuffix("_dev")]
    dialogues = []
    for _ in range(n):
        turns = draw(rng, phase)
        typed = tuple(dataclasses.replace(turn, typed=typed_form(rng, turn)) for turn in turns)
        dialogues.append(Dialogue(typed, name, tuple(range(len(turns)))))
    return dialogues


def pause_places(turn):
    """Word indices before which a speaker may pause without the question seeming complete."""
    words = turn.question.split()
    return [i for i in range(1, len(words))
            if i not in turn.no_pause and " ".join(words[:i]) not in _COMPLETE]


# --- typed forms

_VERBATIM = ("say", "open_words")  # skills whose questions hold words that are to be said as they stand

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
    if not words:  # a function's result stands in its place
        return ""
    numeric = turn.skill in ("arithmetic", "counting", "tools") or "years old" in turn.question
    if numeric and rng.random() < 0.5:
        words = _with_digits(words)
        if turn.skill == "arithmetic" and rng.random() < 0.6:
            words = [rng.choice(_SIGNS[w]) if w in _SIGNS and 0 < i < len(words) - 1 else w for i, w in enumerate(words)]
            if rng.random() < 0.3:
                words = re.sub(r"(\d) ([-+*x]) (?=\d)", r"\1\2", " ".join(words)).split()
    text = " ".join(_TYPED_AS.get(w, w) if rng.random() < 0.8 else w for w in words)
    if rng.random() < 0.3 and turn.skill not in _VERBATIM:
        for long, short in _SHORTER:
            text = re.sub(rf"\b{long}\b", short, text)
    if rng.random() < 0.2 and turn.skill not in _VERBATIM:
        text = text.replace("color", "colour").replace("favorite", "favourite")
    style = rng.random()
    if style < 0.45:
        text = text[0].upper() + text[1:]
        text = re.sub(r"\bi\b", "I", text)
    elif style < 0.5:
        text = text.upper()
    if rng.random() < 0.5:
        text += rng.choice(("?", "?", "?", ".", "!", " ?")) if turn.skill not in ("say", "open_words", "memory") else rng.choice((".", ".", "!", ""))
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


def _of_shape(rng, shapes, accept, mixture):
    shape = rng.choices(*shapes)[0]
    turns = _conversation(rng, shape, accept, mixture)
    return turns and Dialogue(turns, shape, (len(turns) - 1,))


_ALONE = (("single",), (1,))
_CONTEXT = (("follow", "recall", "echo", "unrelated"), (45, 28, 12, 15))
_MIXED = (_SHAPES, _SHAPE_WEIGHTS)
_ALONE_OR_NEXT = (("single", "follow"), (70, 30))
_DEFINITIONS, _COUNTRIES = ("definitions",), ("capitals", "currencies")
TEST_SETS = {  # name -> (split of the scored turn, shapes, skills if not all)
    "train_texts": (TRAIN, _MIXED),
    "held_out_texts": (HELD, _ALONE),
    "follow_ups": (HELD, _CONTEXT),
    "held_out_pairs": (PAIR, (("single", "follow"), (85, 15))),
    "say_new_orders": (ORDER, _ALONE),
    "typed_held_out": (HELD, _MIXED),
    "typed_held_out_pairs": (PAIR, (("single", "follow"), (85, 15))),
    "typed_train_texts": (TRAIN, _MIXED),
    "definitions": (HELD, _ALONE_OR_NEXT, _DEFINITIONS),
    "countries": (HELD, _ALONE_OR_NEXT, _COUNTRIES),
    "typed_definitions": (HELD, _ALONE_OR_NEXT, _DEFINITIONS),
    "typed_countries": (HELD, _ALONE_OR_NEXT, _COUNTRIES),
}


def skills_of(name):
    """The names of the skills that a test set is about."""
    _, _, *skills = TEST_SETS[name.removesuffix("_dev")]
    return skills[0] if skills else tuple(SKILLS)


def test_set(name, n):
    """n conversations, always the same. A name with "_dev" at its end gives other texts, free for development.

    Score the turns in Dialogue.scored (the last one); the turns before it are training texts that give the context. In
    the typed sets every turn has its written variant in Turn.typed.
    """
    base, dev = (name[:-4], True) if name.endswith("_dev") else (name, False)
    split, shapes = TEST_SETS[base][:2]
    mixture = _Mixture(skills_of(base))
    rng = rng_of("test set", name)
    accept = _accepts(split, "dev" if dev else "test") if split != TRAIN else _accepts(TRAIN)
    dialogues = _draw_many(rng, n, lambda r: _of_shape(r, shapes, accept, mixture))
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
    for name in sorted(SKILLS):
        mine = [t for t in turns if t.skill == name]
        print(f"\n{name}: {len(mine)} questions, {len({t.key for t in mine})} different, {len({t.answer for t in mine})} answers")
        for turn in mine[:4]:
            print(f"  {turn.question!r} -> {turn.answer!r}; typed {typed_form(rng, turn)!r}")
    for shape in _SHAPES[1:]:
        print(f"\n{shape}:", *[" | ".join(f"{t.question} -> {t.answer}" for t in d.turns)
                               for d in dialogues if d.shape == shape][:4], sep="\n  ")


if __name__ == "__main__":
    _summary()
