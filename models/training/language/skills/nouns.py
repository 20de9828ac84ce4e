"""The forms of the names of things that can be seen and drawn: articles and plurals."""

import pictures

# Said without "a", never counted.
UNCOUNTED = frozenset((
    "grapes", "garlic", "bread", "pancakes", "popcorn", "chocolate", "candy", "honey", "milk", "coffee", "tea", "wine", "beer",
    "salad", "noodles", "rice", "broccoli", "corn", "cheese", "glasses", "sunglasses", "trousers", "gloves", "socks", "scissors",
    "headphones", "soap", "lightning", "fire", "dice"))
_SEVERAL = frozenset(("grapes", "pancakes", "noodles", "glasses", "sunglasses", "trousers", "gloves", "socks", "scissors",
                      "headphones", "dice"))  # of these, what is spoken of as many
NAMES = tuple(pictures.OBJECTS)
COUNTED = tuple(name for name in NAMES if name not in UNCOUNTED)
_IRREGULAR = {"mouse": "mice", "sheep": "sheep", "deer": "deer", "fish": "fish", "foot": "feet", "tooth": "teeth", "wolf": "wolves",
              "leaf": "leaves", "knife": "knives", "scarf": "scarves", "radio": "radios", "piano": "pianos", "yo yo": "yo yos", "snowman": "snowmen",
              "kangaroo": "kangaroos", "flamingo": "flamingos", "avocado": "avocados", "taco": "tacos"}
NUMBERS = ("no", "one", "two", "three", "four")


def one(name):
    """"a dog", "an apple", "some milk"."""
    if name in UNCOUNTED:
        return "some " + name
    vowel = name[0] in "aeiou" and not name.startswith("unicorn") or name == "hourglass"
    return ("an " if vowel else "a ") + name


def any_of(name):
    """"any milk", "a dog": after a negation."""
    return "any " + name if name in UNCOUNTED else one(name)


def this_is(name):
    """"this is a dog", "these are grapes"."""
    return "these are " + name if name in _SEVERAL else "this is " + one(name)


def plural(name):
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh", "o")) else "s")


def several(name, count):
    """"two dogs", "one dog", "no dogs"."""
    return f"{NUMBERS[count]} {name if count == 1 else plural(name)}"


def listed(phrases):
    """"a dog, a cat and a bird" without the comma, as answers are written."""
    return " and ".join(filter(None, (" ".join(phrases[:-1]), phrases[-1])))
