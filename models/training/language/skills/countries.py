"""Capitals and currencies of the world's countries (data/countries.tsv)."""

import os

from .tables import ALSO, TableSkill

_DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "countries.tsv")
CAPITALS, CURRENCIES = {}, {}  # country as people say it ("the netherlands") -> "amsterdam", "the euro"
with open(_DATA, encoding="utf-8") as _rows:
    for _row in _rows:
        _country, CAPITALS[_country], CURRENCIES[_country] = _row.rstrip("\n").split("\t")
COUNTRIES = sorted(CAPITALS)


class Capitals:
    NAME, WEIGHT = "capitals", 9
    ASK = ["what is the capital of {x}", "name the capital of {x}", "which city is the capital of {x}", "tell me the capital of {x}",
           "whats the capital of {x}", "what city is the capital of {x}", "do you know the capital of {x}",
           "what is the capital city of {x}", "the capital of {x}", "capital of {x}"]
    OTHER = ALSO + ["and of {x}", "and the capital of {x}"]
    ITEMS = COUNTRIES

    @staticmethod
    def answer(x):
        return f"{CAPITALS[x]} is the capital of {x}"


class Currencies:
    NAME, WEIGHT = "currencies", 7
    ASK = ["what is the currency of {x}", "whats the currency of {x}", "which currency does {x} use", "what currency does {x} have",
           "what currency do they use | in {x}", "what money do they use | in {x}", "which money do people use | in {x}",
           "what do people pay with | in {x}", "name the currency of {x}", "tell me the currency of {x}",
           "do you know the currency of {x}", "the currency of {x}", "currency of {x}"]
    OTHER = ALSO + ["and in {x}", "and the currency of {x}"]
    ITEMS = COUNTRIES

    @staticmethod
    def answer(x):
        return f"{x} uses {CURRENCIES[x]}"


CAPITAL_SKILL, CURRENCY_SKILL = TableSkill(Capitals), TableSkill(Currencies)
