"""The 40 phoneme classes that codebook 0 learns to carry: silence and the 39 of ARPAbet.

Both synthesisers report what they say in their own alphabets; the tables fold those into the common classes. A symbol
that is in neither table counts as silence and is collected in `unknown`, so that a check can list what was missed.
"""

CLASSES = (
    "sil aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()
INDEX = {name: i for i, name in enumerate(CLASSES)}
SILENCE = 0

_FLITE = {"pau": "sil", "ssil": "sil", "ax": "ah", "axr": "er"}

_ESPEAK = {}
for _class, _symbols in {
    "aa": "0 A A: A@ A~ 0#", "ae": "a aa a2", "ah": "@ @2 @5 @- V a# VR V2", "ao": "O O: O2 O@ o@ o", "aw": "aU",
    "ay": "aI aI2 aI3 aI@", "b": "b", "ch": "tS", "d": "d d#", "dh": "D", "eh": "E E2 e@ E#", "er": "3 3: 3# IR",
    "ey": "eI e e:", "f": "f", "g": "g", "hh": "h", "ih": "I I2 I3 I#", "iy": "i i: i@ i@3", "jh": "dZ",
    "k": "k x", "l": "l @L l# l/2 l/", "m": "m m-", "n": "n n-", "ng": "N", "ow": "oU o:", "oy": "OI", "p": "p",
    "r": "r r- R r/ *", "s": "s", "sh": "S", "t": "t t# t2 ?", "th": "T", "uh": "U U@", "uw": "u: u u:1", "v": "v",
    "w": "w w# W hw", "y": "j", "z": "z z#", "zh": "Z",
}.items():
    for _symbol in _symbols.split():
        _ESPEAK[_symbol] = _class

unknown = {}


def from_flite(symbol):
    name = _FLITE.get(symbol, symbol)
    if name not in INDEX:
        unknown[symbol] = unknown.get(symbol, 0) + 1
        return SILENCE
    return INDEX[name]


def from_espeak(symbol):
    """Index of the class, or None for marks that are no sound of their own (the palatal mark ';')."""
    if symbol == ";":
        return None
    name = _ESPEAK.get(symbol) or _ESPEAK.get(symbol.strip("',%=_|-;"))
    if name is None:
        if symbol and symbol[0] != "_":
            unknown[symbol] = unknown.get(symbol, 0) + 1
        return SILENCE
    return INDEX[name]
