"""Facts looked up in a table: opposites, colours of common things."""

from .common import make_turn, pick, unbroken
from .lexicon import COLORS, OPPOSITES

ALSO = ["and {x}", "and what about {x}", "what about {x}", "how about {x}", "and how about {x}", "and {x} then"]


class Opposites:
    NAME, WEIGHT = "opposites", 9
    ASK = ["what is the opposite of {x}", "tell me the opposite of {x}", "give me the opposite of {x}", "whats the opposite of {x}",
           "name the opposite of {x}", "which word is the opposite of {x}", "what word means the opposite of {x}",
           "do you know the opposite of {x}", "the opposite of {x}"]
    OTHER = ["and of {x}", "and the opposite of {x}", "what about {x}", "and what about {x}", "and {x}", "how about {x}"]
    ITEMS = sorted(OPPOSITES)

    @staticmethod
    def answer(x):
        return f"the opposite of {x} is {OPPOSITES[x]}"


class Colors:
    NAME, WEIGHT = "colors", 9
    ASK = ["what color is {x}", "which color is {x}", "what is the color of {x}", "tell me the color of {x}",
           "what color does {x} have", "do you know the color of {x}", "whats the color of {x}", "what color is {x} | usually",
           "can you tell me what color {x} is"]
    OTHER = ALSO
    ITEMS = sorted(COLORS)

    @staticmethod
    def answer(x):
        return f"{x} is {COLORS[x]}"


class TableSkill:
    """One table as a skill: asked for an item, then for others ("and what about spain")."""

    def __init__(self, table):
        self.table, self.NAME, self.WEIGHT = table, table.NAME, table.WEIGHT

    def _turn(self, rng, templates, x, after=None):
        return make_turn(rng, self.NAME, pick(rng, templates, x=unbroken(x)), self.table.answer(x), after=after, facts={"item": x})

    def ask(self, rng):
        return self._turn(rng, self.table.ASK, rng.choice(self.table.ITEMS))

    def follow(self, rng, previous):
        x = rng.choice(self.table.ITEMS)
        return None if x == previous.facts["item"] else self._turn(rng, self.table.OTHER, x, after=previous)


OPPOSITE_SKILL, COLOR_SKILL = TableSkill(Opposites), TableSkill(Colors)
