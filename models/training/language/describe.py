"""Writes docs/wren_skills.md from the grammar itself, so that the page cannot drift from what is trained.

    python3 -m language.describe            prints the page;  --write puts it into docs/
"""

import os
import random
import sys

import scenes
from language import grammar
from language.skills import (arithmetic, calendar, common, counting, countries, definitions, drawing, lexicon, manner, memory, nouns,
                             open_words, out_of_reach, repeating, seeing, smalltalk, spelling, tables, tone, tools)
from language.skills.words import all_words

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "wren_skills.md")


def _plain(template):
    return " ".join(token for token in template.split() if token != "|")


def _phrasings(*groups):
    lines = []
    for title, templates in groups:
        lines.append(f"- {title}: " + ", ".join(f"`{_plain(t)}`" for t in templates))
    return "\n".join(lines)


def _table(cls, items):
    return _phrasings(("asked as", cls.ASK), ("followed up as", cls.OTHER)) + f"\n- arguments ({len(cls.ITEMS)}): {items}"


def _skills():
    held = sum(common.pair_is_held(a, b) for a in range(21) for b in range(a, 21))
    yield arithmetic, "Sums, differences and products", (
        "Operands 0 to 20 each, results in words, below zero as `minus four`; the answer restates the problem: "
        "`three plus four is seven`. A follow-up goes on from the last result: `and plus three` -> `seven plus three is ten`. "
        "Typed training also has operands up to 99 (sums and differences), 2 to 9 times up to 90, and 0 to 20 times 0 to 20.\n\n"
        + _phrasings(*[(op, t) for op, t in arithmetic.ASK.items()], *[(op + ", going on", t) for op, t in arithmetic.GO_ON.items()])
        + f"\n\nHeld out: {held} of the 231 unordered pairs, in both orders, every operation and every form, follow-ups included.")
    yield calendar, "Days and months", (
        "The day or month before or after another: `tuesday comes after monday`.\n\n"
        + _phrasings(("asked as", calendar.ASK), ("another", calendar.OTHER), ("going on", calendar.GO_ON)))
    pairs = ", ".join(f"{a} -> {b}" for a, b in sorted(lexicon.OPPOSITES.items()))
    yield tables.OPPOSITE_SKILL, "Opposites", "`the opposite of hot is cold`\n\n" + _table(tables.Opposites, pairs)
    colors = "; ".join(f"{c}: " + ", ".join(x for x in lexicon.COLORS if lexicon.COLORS[x] == c) for c in lexicon.COLOR_NAMES)
    yield tables.COLOR_SKILL, "Colours of common things", "`snow is white`\n\n" + _table(tables.Colors, colors)
    capitals = ", ".join(f"{v} ({k})" for k, v in sorted(countries.CAPITALS.items()))
    yield countries.CAPITAL_SKILL, "Capitals", (
        "`paris is the capital of france`\n\n" + _table(countries.Capitals, capitals))
    currencies = ", ".join(f"{v} ({k})" for k, v in sorted(countries.CURRENCIES.items()))
    yield countries.CURRENCY_SKILL, "Currencies", (
        "`japan uses the yen`\n\n" + _table(countries.Currencies, currencies))
    yield definitions, "Definitions", (
        "What a common thing is, in at most eight words after the verb: `a violin is a small instrument with four strings`.\n\n"
        + _phrasings(("asked as", definitions.ASK + definitions.ASK_OF_ONE), ("followed up as", definitions.OTHER))
        + f"\n- things ({len(definitions.ITEMS)}): " + "; ".join(map(definitions.answer, definitions.ITEMS)))
    yield counting, "Counting", (
        "From a to b (0 to 28, up to nine numbers), backwards, or from one to b (up to twenty).\n\n"
        + _phrasings(("up", counting.UP), ("down", counting.DOWN), ("to b", counting.TO), ("another", counting.OTHER), ("going on", counting.GO_ON)))
    yield spelling, "Spelling", ("`cat is spelled c a t`\n\n" + _phrasings(("asked as", spelling.ASK), ("followed up as", spelling.OTHER))
                                 + f"\n- words ({len(lexicon.SPELLING)}): {', '.join(lexicon.SPELLING)}")
    yield repeating, "Saying what it is told", (
        f"One to six random words out of {len(all_words())} ([words.py](../models/training/language/skills/words.py)) in any order, or a small "
        "random sentence (`my old dog slept under the table`). The answer is the words, nothing else. No two words of the vocabulary sound "
        "alike.\n\n" + _phrasings(("asked as", repeating.ASK), ("followed up as", repeating.OTHER))
        + "\n\nHeld out besides the texts: 10 % of all orders of one to three words, whatever the phrasing.")
    yield smalltalk, "Greetings and small talk", (
        f"{len(smalltalk.INTENTS)} intents with one answer each. Whole phrases are held out here (10 % of them).\n\n"
        + "\n".join(f"- `{answer}`: " + ", ".join(f"`{_plain(p)}`" for p in phrases) for answer, phrases in smalltalk.INTENTS))
    yield manner, "How to speak", (
        "The answer ends with the control symbol that changes the speed or the voice of the answers that follow.\n\n"
        + "\n".join(f"- `{answer}`: " + ", ".join(f"`{_plain(p)}`" for p in phrases) for answer, _, phrases in manner.INTENTS))
    facts = "\n".join(
        f"- {name}: told as " + ", ".join(f"`{_plain(t)}`" for t in tell) + f" -> `{answer}`; asked back as " + ", ".join(f"`{q}`" for q in asks)
        + f" -> `{back}`; never told: `{none}`" for name, (tell, answer, asks, back, none) in memory.FACTS.items())
    yield memory, "What the user said before", (
        "A fact is told in one turn and asked back in a later one, directly or after one or two other questions. Favourite "
        f"things work the same way ({', '.join(sorted(memory.FAVORITES))}).\n\n" + facts + "\n"
        + _phrasings(("own words (`you said ...`)", memory.WHAT_I_SAID), ("last answer again", memory.SAY_AGAIN)))
    yield out_of_reach, "Out of reach", (
        f"Everything else gets `{out_of_reach.UNKNOWN}` (questions) or `{out_of_reach.UNABLE}` (orders). Trained on "
        f"{len(out_of_reach.QUESTIONS)} kinds of questions and {len(out_of_reach.ORDERS)} kinds of orders about random nouns, places, people and "
        f"countries, among them the capitals and currencies of {len(out_of_reach.REGIONS)} regions that are no countries and the meanings of "
        f"{len(out_of_reach.UNDEFINED)} words it cannot define; for example "
        + ", ".join(f"`{t}`" for t in out_of_reach.QUESTIONS[:8] + out_of_reach.ORDERS[:6]) + ".")


_SOURCES = """The definitions ([definitions.tsv](../models/training/language/data/definitions.tsv)) started from the glosses of
WordNet 3.0 (Debian's `wordnet-base`), cut to a few words by rule. Few of those could stay: senses were unusual and words learned, so nearly
all were written anew, by hand, in at most eight plain words, and nouns without a usable gloss were added. WordNet is copyright 2006 by
Princeton University; its licence allows use, change and distribution for any purpose without fee and asks that its notice goes with every
copy: [data/README.md](../models/training/language/data/README.md).

Capitals and currencies ([countries.tsv](../models/training/language/data/countries.tsv)) are plain facts, written down by hand under
the names people say. They were compared with the names of countries and currencies in ISO 3166 and 4217 as Debian's `iso-codes` has them
(LGPL 2.1 or later) and with the capitals in `kgeography-data` (GPL 2 or later); nothing of either is copied here."""


def _pictures():
    things = ", ".join(nouns.NAMES)
    yield "Seeing", (
        "The user shows a picture (a scene of one to four things on a coloured background: `scenes.py`) and asks about it, then perhaps "
        "asks again, or shows another: `this is a dog`, `i see three dogs`, `there are two dogs`, `the background is green`, `i see a car on "
        "the left`, `yes i see a dog`, `no i do not see a dog`. Without a picture: `" + seeing.NO_PICTURE + "`.\n\n"
        + _phrasings(("what is it", seeing.WHAT_ONE), ("what is it now, or of the newest of several", seeing.WHAT_NOW), ("how many", seeing.HOW_MANY),
                     ("how many things", seeing.HOW_MANY_THINGS), ("background", seeing.BACKGROUND),
                     *[(side, templates) for side, templates in seeing.WHERE.items()], ("is there", seeing.IS_THERE),
                     ("two pictures, the same", seeing.SAME), ("two pictures, more", seeing.MORE)))
    yield "Drawing", (
        "The answer says what it draws while the picture is written. The same request always draws the same picture: things upright, in fixed "
        "places, on a plain background, white if none was asked for (`scenes.arranged`). The next turn may change it.\n\n"
        + _phrasings(("asked as", drawing.DRAW), ("on a background", drawing.ON), ("then", drawing.RECOLOUR + drawing.ADD + drawing.ANOTHER),
                     ("and asked about", drawing.WHAT_DRAWN)))
    yield "What it can see and draw", f"{len(nouns.NAMES)} things: {things}.\n\n{len(scenes.COLOURS)} colours: {', '.join(scenes.COLOURS)}."


def _families():
    yield "Words it never learned", (
        f"Spelling and repeating beyond its vocabulary: {len(open_words.WORDS)} more words, one or, to repeat, up to five in a row "
        "([open_words.txt](../models/training/language/data/open_words.txt): words of three to nine letters from WordNet's tagged texts; none sounds like "
        f"another). Each word is held out in all its questions or in none: {len(open_words.HELD_BACK)} are never trained.\n\n"
        + _phrasings(("spelled as above, repeated as", open_words.SAY)))
    yield "Answers that were cut off", (
        "Of an answer that was interrupted Wren knows what the user heard. Asked for it again, it says that much once more.\n\n"
        + _phrasings(("asked as", memory.SAY_AGAIN_AFTER_CUT)))
    yield "The tone of a voice", (
        "Whether the speaker sounds " + ", ".join(tone.TONES[:-1]) + f" or {tone.TONES[-1]}, which the synthesis makes of pitch, range of pitch and rate: `"
        + tone.answer("excited") + f"`. Who types gets `{tone.UNHEARD}`.\n\n" + _phrasings(("asked as", tone.ASK)))
    cities = ", ".join(lexicon.CITIES)
    yield "Functions", (
        "Three functions, when the client has declared them: " + ", ".join(f"`{text}`" for text in tools.SIGNATURES.values())
        + ". The answer to a request is a word or two and the call (`" + tools.call_text("set_timer", {"minutes": 5})
        + "`); what comes of it is said when the result is there: `your timer is set for five minutes`, `it is sunny in rome and twenty degrees`, "
        f"`the light in the kitchen is on`, `{tools.FAILED}`. An undeclared one: " + ", ".join(f"`{t}`" for t in tools.UNDECLARED.values()) + ".\n\n"
        + _phrasings(("timer, 1 to 60 minutes", tools.TIMER), ("weather", tools.WEATHER), ("light", tools.LIGHT))
        + f"\n- cities: {cities}\n- skies: {', '.join(tools.SKIES)}; 0 to 35 degrees\n- rooms: {', '.join(tools.ROOMS)}\n- results: "
        + ", ".join(f"`{text}`" for text in [*tools.DONE, *(t.format("sunny", 20) for t in tools.WEATHER_RESULTS), *tools.ERRORS]))


def page():
    rng = random.Random(0)
    dialogues = [grammar.sample_dialogue(rng) for _ in range(20000)]
    turns = [turn for d in dialogues for turn in d.turns]
    several = sum(len(d.turns) for d in dialogues if len(d.turns) > 1) / len(turns)
    parts = ["""# What Wren can do

*Written by `models/training/language/describe.py`; change the grammar, then run it with `--write`.*

Wren, the model this repository trains from scratch, answers questions of a small world and no others. Every question and answer
comes from a grammar (`models/training/language/skills/`, one file a skill) that draws conversations without end from a seed.
Answers are lower-case words that restate what they answer. Questions are spoken in many synthetic voices, or typed: with capitals,
punctuation, contractions (`what's`), digits and signs (`12 + 7`), British spelling (`colour`).

A question may be dressed with an address or politeness (`hey wren ...`, `... please`). """
             f"{several:.0%} of all questions stand in conversations of two to four turns.",
             "## What is never trained\n\n"
             "- 15 % of the unordered pairs of numbers 0 to 20, in any operation, order or form.\n"
             "- 10 % of all other question texts, decided by a hash of the text without its dress and with contractions written out. For a "
             "follow-up the text includes the questions it depends on, so the same words may be trained in another context. An argument is never "
             "held out in all its phrasings.\n"
             "- 10 % of the orders of one to three words that it can be told to say.\n"
             "- 10 % of the words beyond its vocabulary that it is asked to spell or repeat.\n"
             "- The voices espeak-ng `+f5` and `+m7`, the accent `en-gb-scotland`, flite `rms`.\n\n"
             "Three tenths of what is held out may be looked at during development (`..._dev` sets); the rest steers no decision.\n\n"
             "## How often each skill is asked\n\n| skill | share of questions | different answers in 20,000 conversations |\n|---|---|---|\n"
             + "\n".join(f"| {name} | {sum(t.skill == name for t in turns) / len(turns):.1%} | {len({t.answer for t in turns if t.skill == name})} |"
                         for name in sorted(grammar.SKILLS))]
    for skill, title, text in _skills():
        parts.append(f"## {title}\n\n{text}")
    parts.append("## Where the knowledge comes from\n\n" + _SOURCES)
    for title, text in [*_families(), *_pictures()]:
        parts.append(f"## {title}\n\n{text}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(page())
    else:
        print(page(), end="")
