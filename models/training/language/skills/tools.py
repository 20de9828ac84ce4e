"""Functions a client may declare, and Wren calls: a timer, the weather of a city, a light.

A conversation begins with the signatures of the declared functions (SIGNATURES, some of them, in any order). The answer to a
request is a few words and, behind them, the call; the turn after it brings the result, and its answer says what came of
it. What was not declared can not be done.
"""

import json

from .common import make_turn, pick
from .lexicon import CITIES, number_words

NAME = "tools"

SIGNATURES = {"set_timer": "set_timer minutes", "get_weather": "get_weather city", "switch_light": "switch_light room state"}
SEPARATOR = " , "
ROOMS = "kitchen bedroom bathroom garage hall office garden basement library attic balcony".split()
STATES = ("on", "off")
SKIES = "sunny cloudy rainy foggy windy snowy".split()
MINUTES, DEGREES = range(1, 61), range(0, 36)

TIMER = ["set a timer for {n} minutes", "set a timer | to {n} minutes", "start a timer of {n} minutes", "start a {n} minute timer",
          "set a {n} minute timer", "give me a timer for {n} minutes", "i need a timer for {n} minutes", "timer for {n} minutes",
          "can you set a timer for {n} minutes", "wake me in {n} minutes"]
WEATHER = ["what is the weather in {c}", "how is the weather in {c}", "whats the weather like | in {c}", "tell me the weather in {c}",
            "is it raining in {c}", "is it warm in {c}", "what is the weather like | in {c}", "do you know the weather in {c}",
            "weather in {c}"]
LIGHT = ["turn {s} the light | in the {r}", "switch {s} the light | in the {r}", "turn the {r} light {s}", "switch the {r} light {s}",
          "please turn {s} the {r} light", "can you switch {s} the {r} light", "turn the light in the {r} {s}",
          "i want the light in the {r} {s}", "{r} light {s}"]
UNDECLARED = {"set_timer": "sorry i have no timer here", "get_weather": "sorry i can not look up the weather here",
               "switch_light": "sorry i can not switch lights here"}
_SAID = {"set_timer": "okay", "get_weather": "let me see", "switch_light": "okay"}
FAILED = "sorry that did not work"
DONE = ['{"ok":true}', '{"status":"ok"}', '{"done":true}', "ok", "done"]
WEATHER_RESULTS = ['{{"sky":"{}","degrees":{}}}', '{{"weather":"{}","temperature":{}}}', '{{"degrees":{1},"sky":"{0}"}}', "{} {}", "{}, {} degrees"]
ERRORS = ['{"error":"not available"}', '{"ok":false}', '{"error":"timeout"}', '{"status":"failed"}', "error", '{"error":"unknown"}']


def signatures(names):
    return SEPARATOR.join(SIGNATURES[name] for name in names)


def _minutes(n):
    return f"{number_words(n)} minute" + ("" if n == 1 else "s")


def _set_timer(rng):
    n = rng.choice(MINUTES)
    question = pick(rng, TIMER, n=number_words(n).replace(" ", " | "))
    return (question.replace("one minutes", "one minute"), {"minutes": n}, f"your timer is set for {_minutes(n)}", DONE)


def _get_weather(rng):
    city, sky, degrees = rng.choice(CITIES), rng.choice(SKIES), rng.choice(DEGREES)
    unit = "degree" if degrees == 1 else "degrees"
    return (pick(rng, WEATHER, c=city.replace(" ", " | ")), {"city": city},
            f"it is {sky} in {city} and {number_words(degrees)} {unit}", [r.format(sky, degrees) for r in WEATHER_RESULTS])


def _switch_light(rng):
    room, state = rng.choice(ROOMS), rng.choice(STATES)
    return (pick(rng, LIGHT, r=room, s=state), {"room": room, "state": state}, f"the light in the {room} is {state}", DONE)


_REQUESTS = {"set_timer": _set_timer, "get_weather": _get_weather, "switch_light": _switch_light}


def call_text(name, arguments):
    return name + " " + json.dumps(arguments, separators=(",", ":"))


def declare(rng):
    """Some of the functions, in any order; seldom none."""
    return rng.sample(sorted(SIGNATURES), rng.choices((0, 1, 2, 3), (8, 22, 25, 45))[0])


def request(rng, declared, new=True):
    """-> [the request, and where its function is declared the turn with the result]. new: whether `declared` has to be
    written first."""
    name = rng.choice(declared if declared and rng.random() > 0.15 else sorted(SIGNATURES))
    question, arguments, outcome, results = _REQUESTS[name](rng)
    about = dict(declared=signatures(declared) if new and declared else None)
    if name not in declared:
        return [make_turn(rng, NAME, question, UNDECLARED[name], **about)]
    asked = make_turn(rng, NAME, question, _SAID[name], call=call_text(name, arguments), **about)
    failed = rng.random() < 0.12
    result = rng.choice(ERRORS if failed else results)
    told = make_turn(rng, NAME, "", FAILED if failed else outcome, after=asked, openers=False, closers=False, split=asked.split,
                     result=result)
    return [asked, told]
