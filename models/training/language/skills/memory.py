"""What the user said before: names and other facts told and asked back, and the last words of either side."""

from .common import make_turn, pick
from .lexicon import ANIMALS, CITIES, COLOR_NAMES, DAYS, FOODS, FRUITS, MONTHS, NAMES, PETS, SPORTS, number_words
from .words import all_words

NAME = "memory"
WEIGHT = 4

_CITIES = sorted(CITIES)
FAVORITES = dict(color=COLOR_NAMES, animal=ANIMALS, food=FOODS, fruit=FRUITS, sport=SPORTS, day=DAYS, month=MONTHS,
                  number=[number_words(n) for n in range(1, 21)])
_WORDS = all_words()

# fact -> (ways to tell it, answer, ways to ask it back, answer, answer when it was never told)
FACTS = {
    "name": (["my name is {x}", "i am {x}", "im {x}", "call me {x}", "you can call me {x}", "hello | my name is {x}", "hi | i am {x}",
              "they call me {x}"],
             "nice to meet you {x}",
             ["what is my name", "whats my name", "who am i", "do you know my name", "do you remember my name", "tell me my name",
              "can you tell me my name", "what did i say my name was"],
             "your name is {x}", "you have not told me your name"),
    "home": (["i live in {x}", "my home is in {x}", "i am from {x}", "i come from {x}", "my house is in {x}", "my family lives in {x}"],
             "{x} is a nice place",
             ["where do i live", "where is my home", "where am i from", "do you know where i live", "do you remember where i live",
              "in which city do i live"],
             "you live in {x}", "you have not told me where you live"),
    "pet": (["i have a {x}", "my pet is a {x}", "at home i have a {x}", "i got a {x} | for my birthday", "there is a {x} in my house",
             "we have a {x}"],
            "a {x} is a nice pet",
            ["what pet do i have", "which animal do i have", "do you remember my pet", "what is my pet", "which pet do i have",
             "what animal lives with me"],
            "you have a {x}", "you have not told me about a pet"),
    "age": (["i am {x} years old", "my age is {x}", "im {x} years old", "i turned {x} today", "today i am {x} years old", "i just turned {x}"],
            "{x} is a good age",
            ["how old am i", "what is my age", "whats my age", "do you remember my age", "do you know how old i am", "tell me my age"],
            "you are {x} years old", "you have not told me your age"),
    "word": (["remember the word {x}", "please remember the word {x}", "keep the word {x} in mind", "the secret word is {x}",
              "my word is {x}", "can you remember the word {x}"],
             "i will remember {x}",
             ["what was the word", "which word did i tell you", "do you remember the word", "what is the secret word", "tell me the word",
              "which word was it"],
             "the word is {x}", "you have not told me a word"),
}
_FAVORITE_TELL = ["my favorite {k} is {x}", "the {k} i like best is {x}", "{x} is my favorite {k}", "i think {x} is the best {k}",
                  "of all the {k}s i like {x} best", "my best {k} is {x}"]
_FAVORITE_ASK = ["what is my favorite {k}", "whats my favorite {k}", "which {k} do i like best", "do you remember my favorite {k}",
                 "tell me my favorite {k}", "do you know my favorite {k}"]
WHAT_I_SAID = ["what did i just say", "what did i say", "what was my question", "can you tell me what i said", "what have i just asked you",
               "repeat my question", "what did i ask you"]
SAY_AGAIN = ["say that again", "please say that again", "what did you say", "can you repeat that", "please repeat that", "once more",
             "i did not hear that", "say it again"]


# Besides, to ask again for an answer that was cut off.
SAY_AGAIN_AFTER_CUT = SAY_AGAIN + ["what did you just say", "what were you saying", "what was that"]


def fixed_questions():
    asks = [q for fact in FACTS.values() for q in fact[2]] + WHAT_I_SAID + SAY_AGAIN
    return set(asks) | {q.format(k=k) for q in _FAVORITE_ASK for k in FAVORITES}


def _value(rng, fact):
    if fact == "name":
        return rng.choice(NAMES)
    if fact == "home":
        return rng.choice(_CITIES)
    if fact == "pet":
        return rng.choice(PETS)
    if fact == "age":
        return number_words(rng.randint(3, 99))
    return rng.choice(_WORDS)


def tell(rng):
    """The user states a fact about himself."""
    if rng.random() < 0.3:
        kind = rng.choice(sorted(FAVORITES))
        x = rng.choice(FAVORITES[kind])
        return make_turn(rng, NAME, pick(rng, _FAVORITE_TELL, k=kind, x=x), f"i see your favorite {kind} is {x}", closers=False,
                         facts={"fact": "favorite", "sort": kind, "x": x})
    fact = rng.choices(sorted(FACTS), (2, 3, 6, 2, 4))[0]  # age home name pet word
    x = _value(rng, fact)
    return make_turn(rng, NAME, pick(rng, FACTS[fact][0], x=x), FACTS[fact][1].format(x=x), closers=False,
                     facts={"fact": fact, "x": x})


def ask_back(rng, told):
    """The user asks for the fact of an earlier turn."""
    x = told.facts["x"]
    if told.facts["fact"] == "favorite":
        kind = told.facts["sort"]
        return make_turn(rng, NAME, pick(rng, _FAVORITE_ASK, k=kind), f"your favorite {kind} is {x}", after=told)
    _, _, asks, answer, _ = FACTS[told.facts["fact"]]
    return make_turn(rng, NAME, pick(rng, asks), answer.format(x=x), after=told)


def ask_untold(rng):
    """A fact is asked for that nobody told: only right where nothing went before."""
    if rng.random() < 0.25:
        kind = rng.choice(sorted(FAVORITES))
        template, answer = pick(rng, _FAVORITE_ASK, k=kind), f"you have not told me your favorite {kind}"
    else:
        _, _, asks, _, answer = FACTS[rng.choice(sorted(FACTS))]
        template = pick(rng, asks)
    return make_turn(rng, NAME, template, answer, facts={"fresh": True})


def ask(rng):
    return tell(rng) if rng.random() < 0.7 else ask_untold(rng)


def echo(rng, previous):
    """Asks for the user's own last words or for the last answer again."""
    if rng.random() < 0.5 and len(previous.question.split()) <= 7:
        return make_turn(rng, NAME, pick(rng, WHAT_I_SAID), "you said " + previous.question, after=previous)
    return again(rng, previous, SAY_AGAIN)


def again(rng, previous, phrases=SAY_AGAIN_AFTER_CUT):
    """Asks for the last answer again."""
    return make_turn(rng, NAME, pick(rng, phrases), previous.answer, after=previous)
