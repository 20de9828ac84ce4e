"""Texts for the codec's training and evaluation: random words, small sentences, and sentences of the model's domain.

All choices come from the `random.Random` handed in. Everything is lower-case words; single letters are voices.letter.
"""

import re

from voices import letter

DICTIONARY = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict"  # package pocketsphinx-en-us

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
NAMES = (
    "anna ben carla david emma frank grace henry iris jack kate leo mary nora oscar paul rosa sam tina tom victor wendy "
    "alice bob clara daniel eva george helen ian julia kevin laura martin nina oliver peter rachel simon sarah"
).split()
CAPITALS = dict(
    france="paris", italy="rome", spain="madrid", germany="berlin", england="london", japan="tokyo", china="beijing",
    russia="moscow", egypt="cairo", greece="athens", portugal="lisbon", ireland="dublin", norway="oslo",
    sweden="stockholm", poland="warsaw", austria="vienna", cuba="havana", peru="lima", kenya="nairobi", canada="ottawa",
    turkey="ankara", finland="helsinki", denmark="copenhagen", hungary="budapest", belgium="brussels", iraq="baghdad",
    iran="tehran", vietnam="hanoi", chile="santiago", colombia="bogota",
)
COLOURS = "red green blue yellow white black brown orange purple pink gray".split()
THINGS = "grass snow coal blood milk gold the sky|the sun|a banana|a carrot|a strawberry|chocolate|a leaf|salt|ink|a tomato"
OPPOSITES = (
    "hot cold|big small|up down|left right|fast slow|day night|open closed|happy sad|old young|hard soft|light dark|"
    "early late|full empty|rich poor|strong weak|wet dry|clean dirty|high low|near far|first last"
).split("|")
DETERMINERS = "the a my your this that every some our his her".split()
ADJECTIVES = (
    "small big red old young happy quiet bright heavy strange green cold warm lazy clever golden dusty empty honest "
    "purple"
).split()
NOUNS = (
    "house river teacher window garden brother machine mountain ship letter table doctor market kitchen village shoulder "
    "question picture journey feather bridge treasure thumb voice church judge measure boy cow bird oil choice"
).split()
VERBS = (
    "sees opens carries follows likes paints changes watches reaches finds moves pushes breaks hears joins throws brings "
    "knows teaches enjoys"
).split()
ADVERBS = (
    "quickly|today|again|slowly|in the morning|near the lake|with great care|after lunch|by the road|at noon|"
    "without a sound"
).split("|")
SMALL_TALK = (
    "hello, how can i help you?|good morning to you.|you are welcome.|goodbye, see you soon.|i am fine, thank you.|"
    "good night, sleep well.|i am sorry, i do not know that.|my name is wren.|nice to meet you.|what is your name?|"
    "how are you today?|thank you very much.|i can count, spell, and answer small questions.|please say that again."
).split("|")

_words = None


def words():
    global _words
    if _words is None:
        with open(DICTIONARY) as lines:
            found = {line.split()[0].split("(")[0] for line in lines}
        _words = sorted(w for w in found if re.fullmatch(r"[a-z]{2,10}", w))
    return _words


def number(n):
    """A whole number from 0 to 999 in words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + ("" if n % 10 == 0 else " " + ONES[n % 10])
    rest = n % 100
    return ONES[n // 100] + " hundred" + ("" if rest == 0 else " " + number(rest))


def _noun_phrase(rng):
    return f"{rng.choice(DETERMINERS)} {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"


def _arithmetic(rng):
    a, b = rng.randint(0, 20), rng.randint(0, 20)
    kind = rng.choice(["plus", "minus", "times"])
    result = {"plus": a + b, "minus": abs(a - b), "times": a * b}[kind]
    if kind == "minus":
        a, b = max(a, b), min(a, b)
    return rng.choice(
        [f"{number(a)} {kind} {number(b)} is {number(result)}.", f"what is {number(a)} {kind} {number(b)}?",
         f"how much is {number(a)} {kind} {number(b)}?"]
    )


def _counting(rng):
    start = rng.randint(0, 30)
    return " ".join(number(n) for n in range(start, start + rng.randint(3, 8)))


def _geography(rng):
    country, capital = rng.choice(sorted(CAPITALS.items()))
    return rng.choice([f"the capital of {country} is {capital}.", f"what is the capital of {country}?",
                       f"{capital} is in {country}."])


def _calendar(rng):
    names = rng.choice([DAYS, MONTHS])
    i = rng.randrange(len(names))
    return rng.choice([f"{names[(i + 1) % len(names)]} comes after {names[i]}.",
                       f"{names[i - 1]} comes before {names[i]}.", f"which one comes after {names[i]}?"])


def _colour(rng):
    things = THINGS.split("|")
    thing = rng.choice(things[0].split()[:6] + things[1:])
    return rng.choice([f"{thing} is {rng.choice(COLOURS)}.", f"what color is {thing}?"])


def _opposite(rng):
    a, b = rng.sample(rng.choice(OPPOSITES).split(), 2)
    return rng.choice([f"the opposite of {a} is {b}.", f"what is the opposite of {a}?"])


def _naming(rng):
    name = rng.choice(NAMES)
    return rng.choice([f"your name is {name}.", f"my name is {name}.", f"hello {name}, nice to meet you."])


def _spelling(rng):
    word = rng.choice([w for w in (rng.choice(words()) for _ in range(20)) if len(w) <= 7] or ["cat"])
    return [word, "is", "spelled"] + [letter(c) for c in word]


def domain(rng):
    """A question or an answer of the kind the model deals with; a string or a list of tokens."""
    make = rng.choice([_arithmetic, _arithmetic, _counting, _geography, _calendar, _colour, _opposite, _naming, _spelling,
                       lambda r: r.choice(SMALL_TALK)])
    return make(rng)


def free(rng):
    """Words in no likely order, or a small sentence: every sound beside every other."""
    if rng.random() < 0.55:
        return " ".join(rng.choice(words()) for _ in range(rng.randint(3, 7)))
    return f"{_noun_phrase(rng)} {rng.choice(VERBS)} {_noun_phrase(rng)} {rng.choice(ADVERBS)}."


def sentence(rng, domain_share=0.35):
    return domain(rng) if rng.random() < domain_share else free(rng)


def plain(text):
    """The words of a text as a recogniser would write them."""
    tokens = text.split() if isinstance(text, str) else text
    return " ".join(re.sub(r"[^a-z' ]", " ", " ".join(tokens).lower()).split())
