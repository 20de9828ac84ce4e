"""Questions and orders the model cannot serve: it says so politely, in one of two fixed sentences."""

import re

from . import definitions, nouns
from .common import make_turn
from .countries import COUNTRIES
from .lexicon import ANIMALS, FOODS, SPORTS, number_words
from .words import ADJECTIVES, NOUNS, VERBS

NAME = "out_of_reach"
WEIGHT = 10

UNKNOWN = "sorry i do not know that"
UNABLE = "sorry i can not do that"
_PEOPLE = """the president,the king of france,einstein,shakespeare,mozart,the pope,my boss,your boss,the first man on the moon,napoleon,
the prime minister,my neighbor,the richest man,beethoven,caesar,picasso""".replace("\n", "").split(",")
_PLACES = """mount everest,the eiffel tower,the moon,the great wall,the amazon,the white house,hollywood,africa,mars,new york,
the nearest hospital,the train station,the pacific ocean,the airport,the north pole,my hotel""".replace("\n", "").split(",")
# No countries: their capitals and money are not taught, and neither are the other words' meanings.
REGIONS = """texas,california,florida,hawaii,alaska,bavaria,sicily,tuscany,siberia,tibet,catalonia,normandy,quebec,lapland,brittany,
andalusia,crete,saxony,ontario,provence""".replace("\n", "").split(",")
UNDEFINED = [word for word in NOUNS + ADJECTIVES + VERBS if not definitions.NOUNS & {word, word + "s"}]
_LANGUAGES = "french german spanish italian japanese chinese russian latin greek".split()
QUESTIONS = """who won the world cup|what is the weather like|will it rain tomorrow|what time is it|what day is it today|
how is the weather today|what is the meaning of life|who wrote hamlet|what is in the news|how far is {place}|how tall is {place}|
how old is {person}|when was {person} born|who is {person}|where is {place}|how do i get to {place}|what is the population of {country}|
who is the president of {country}|what is the capital of {region}|what is the currency of {region}|which language do they speak in {country}|
how big is {country}|who invented the {noun}|how much does a {noun} cost|where can i buy a {noun}|why is the {noun} {adj}|
what is a {noun} | made of|how do you make a {noun}|what does {undefined} mean|what is the meaning of {undefined}|define {undefined}|how many {noun}s are there in the world|
how do you say {noun} in {language}|what is {noun} | in {language}|what is {a} divided by {b}|what is the square root of {a}|
how fast can a {animal} run|what does a {animal} eat|how long does a {animal} live|how do i cook {food}|is {food} good for you|
what are the rules of {sport}|who is the best at {sport}|when did the war end|how many people live in {country}|
what is the price of {food}|why do people {verb}|how can i {verb} a {noun}|what is the best {noun}|do you think it will snow|
who discovered {place}|what happened in the year nineteen {b}|how hot is the sun|how deep is the ocean|what is my phone number|
how many stars are there|why is {food} so {adj}|which {noun} is the best|where did i put my {noun}|how heavy is a {noun}|
what is the difference between a {noun} and a {noun2}|what did {person} say about {country}|is there a {noun} in {country}|
when does the {noun} open|what is the name of the {noun}"""
QUESTIONS = re.split(r"(?<! )\|(?! )", QUESTIONS.replace("\n", ""))  # " | " marks a place where no pause may be made
ORDERS = """play some music|set an alarm for {b}|call my mother|turn on the {noun}|turn off the {noun}|order a {food}|
send a message to {person}|book a flight to {country}|open the {noun}|close the {noun}|show me a picture of a {noun}|
translate {noun} into {language}|buy me a {noun}|draw a {noun}|sing a song about a {noun}|write a poem about the {noun}|
read me a story|bring me some {food}|clean the {noun}|take me to {place}|find me a {noun}|start the {noun}|wake me up at {b}|
drive me to {place}|fix my {noun}|remind me to {verb}|search for a {noun}|make me some {food}|play {sport} with me|
tell me a story about a {animal}|book a table for {b}|cook some {food} for me|feed my {animal}|lock the {noun}|
send an email to {person}|paint a {adj} {noun}|give me some money|turn up the volume|build a {noun}|teach me {language}""".replace("\n", "").split("|")


_DRAWS = re.compile(r"\b(draw|paint|picture)\b")


def ask(rng):
    order = rng.random() < 0.35
    template = rng.choice(ORDERS if order else QUESTIONS)
    slots = dict(person=rng.choice(_PEOPLE), place=rng.choice(_PLACES), country=rng.choice(COUNTRIES), region=rng.choice(REGIONS),
                 undefined=rng.choice(UNDEFINED), noun=rng.choice(NOUNS),
                 noun2=rng.choice(NOUNS), adj=rng.choice(ADJECTIVES), verb=rng.choice(VERBS), language=rng.choice(_LANGUAGES),
                 animal=rng.choice(ANIMALS), food=rng.choice(FOODS), sport=rng.choice(SPORTS),
                 a=number_words(rng.randint(2, 99)), b=number_words(rng.randint(2, 20)))
    if _DRAWS.search(template) and slots["noun"] in nouns.NAMES:
        return None  # that it can draw
    question = re.sub(r"\ba (?=[aeiou])", "an ", template.format(**slots))
    return make_turn(rng, NAME, question, UNABLE if order else UNKNOWN)
