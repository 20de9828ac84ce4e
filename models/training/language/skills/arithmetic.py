"""Sums, differences and products: "what is three plus four" -> "three plus four is seven"."""

from .common import make_turn, pick
from .lexicon import number_words

NAME = "arithmetic"
WEIGHT = 26

ASK = {
    "plus": ["what is {a} plus {b}", "how much is {a} plus {b}", "{a} plus {b}", "what is the sum of {a} | and {b}",
             "add {a} | and {b}", "tell me {a} plus {b}", "what do you get if you add {a} | and {b}", "whats {a} plus {b}",
             "can you add {a} | and {b}", "what does {a} plus {b} make", "calculate {a} plus {b}", "how many are {a} | and {b}"],
    "minus": ["what is {a} minus {b}", "how much is {a} minus {b}", "{a} minus {b}", "subtract {b} from {a}",
              "take {b} away from {a}", "what is {a} take away {b}", "tell me {a} minus {b}", "whats {a} minus {b}",
              "what is left if you take {b} from {a}", "calculate {a} minus {b}", "what does {a} minus {b} make"],
    "times": ["what is {a} times {b}", "how much is {a} times {b}", "{a} times {b}", "multiply {a} by {b}",
              "tell me {a} times {b}", "what is the product of {a} | and {b}", "whats {a} times {b}",
              "what do you get if you multiply {a} by {b}", "calculate {a} times {b}", "what does {a} times {b} make"],
}
# Asked about the last result ("seven"): "and plus three" -> "seven plus three is ten".
GO_ON = {
    "plus": ["and plus {b}", "plus {b}", "now add {b}", "add {b} to that", "and if you add {b}", "then plus {b}",
             "and {b} more", "what about plus {b}"],
    "minus": ["and minus {b}", "minus {b}", "now take away {b}", "subtract {b} from that", "and if you take away {b}",
              "then minus {b}", "take {b} from that", "what about minus {b}"],
    "times": ["and times {b}", "times {b}", "now multiply by {b}", "multiply that by {b}", "and if you multiply by {b}",
              "then times {b}", "what about times {b}"],
}


def compute(a, op, b):
    return a + b if op == "plus" else a - b if op == "minus" else a * b


def answer(a, op, b):
    return f"{number_words(a)} {op} {number_words(b)} is {number_words(compute(a, op, b))}"


def _turn(rng, templates, a, op, b, after=None):
    template = pick(rng, templates[op], a=number_words(a), b=number_words(b))
    return make_turn(rng, NAME, template, answer(a, op, b), after=after, facts={"result": compute(a, op, b)}, pair=(a, b))


def _operands(rng, op, wide):
    """Operands 0..20 each; wide (typed only) goes beyond, so that digits are learnt as digits."""
    if not wide or rng.random() < 0.4:
        return rng.randint(0, 20), rng.randint(0, 20)
    if op == "times":
        a, b = rng.choice([(rng.randint(0, 20), rng.randint(0, 20)), (rng.randint(2, 9), rng.randint(21, 49)),
                           (rng.randint(2, 9), 10 * rng.randint(2, 9))])
    else:
        a, b = rng.choice([(rng.randint(0, 99), rng.randint(0, 99)), (rng.randint(0, 20), rng.randint(21, 99))])
    return (a, b) if rng.random() < 0.5 else (b, a)


def ask(rng, wide=False):
    op = rng.choice(("plus", "minus", "times"))
    a, b = _operands(rng, op, wide)
    return _turn(rng, ASK, a, op, b)


def follow(rng, previous, wide=False):
    result = previous.facts.get("result")
    if result is None or not 0 <= result <= (99 if wide else 20):
        return None
    op = rng.choice(("plus", "minus", "times"))
    if op == "times" and result > 20:
        op = "plus"
    b = rng.randint(0, 20) if not wide or op == "times" or rng.random() < 0.6 else rng.randint(0, 99)
    return _turn(rng, GO_ON, result, op, b, after=previous)
