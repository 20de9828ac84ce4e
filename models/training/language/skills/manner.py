"""How Wren is to speak: faster, slower, in which voice. The answer ends with the control symbol that makes it so."""

from .. import symbols
from .common import make_turn

NAME = "manner"
WEIGHT = 4

# (answer, the control symbol it writes after its text, ways to ask for it)
INTENTS = [
    ("okay i will speak faster", symbols.SPEED_FAST,
     ["speak faster", "talk faster", "can you speak faster", "could you talk | a bit faster", "speak a little faster", "faster",
      "please speed up", "speed up", "you speak too slowly", "i want you to speak faster", "speak more quickly"]),
    ("okay i will speak slowly", symbols.SPEED_SLOW,
     ["speak slower", "speak slowly", "talk slower", "can you speak slower", "could you talk | a bit slower", "speak more slowly",
      "slow down", "please slow down", "slower", "you speak too fast", "i want you to speak slowly", "not so fast"]),
    ("okay i will speak as usual", symbols.SPEED_NORMAL,
     ["speak at normal speed", "talk at your usual speed", "speak as usual", "speak normally", "talk normally | again",
      "normal speed", "use the normal speed", "speak at your normal speed | again"]),
    ("okay this will be my low voice", symbols.VOICE_LOW,
     ["use your low voice", "use the low voice", "speak with a low voice", "speak with a deep voice", "use a deeper voice",
      "can you speak with a lower voice", "talk with your deep voice", "lower your voice"]),
    ("okay this will be my own voice", symbols.VOICE_OWN,
     ["use your own voice", "use your normal voice", "speak with your own voice", "go back to your own voice",
      "can you speak with your usual voice", "talk with your normal voice | again", "use the high voice", "use your high voice"]),
]
CONTROLS = {answer: control for answer, control, _ in INTENTS}


def ask(rng):
    answer, _, phrases = rng.choice(INTENTS)
    return make_turn(rng, NAME, rng.choice(phrases), answer)
