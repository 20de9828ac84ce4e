"""Made-up speakers for espeak-ng: variant files with random vocal tracts, pitches and breath.

    folder = data_folder()        # what espeak_Initialize is given: the installed data and the made-up variants beside it
    NAMES                         # "wren000", "wren001", ...; use as "en-us+wren017"

A variant scales the frequency, height and width of each formant (espeak-ng's docs/voices.md), so every one is another
person to a recogniser. All are drawn from their names: the same name is the same voice on every machine. The installed
variants number a few dozen, of which most differ little; voices never heard were understood far worse than those.
"""

import atexit
import os
import random
import shutil
import tempfile

COUNT = 200
NAMES = tuple(f"wren{n:03d}" for n in range(COUNT))


def variant_text(name):
    """The variant file of a made-up speaker."""
    rng = random.Random("speaker " + name)
    tract = rng.uniform(0.84, 1.2)  # all formants together: the length of the vocal tract
    low = rng.uniform(70, 190)
    lines = ["language variant", "name " + name, f"pitch {low:.0f} {low * rng.uniform(1.25, 1.9):.0f}"]
    tilt = rng.uniform(-6, 6)
    for formant in range(9):
        # Those that carry the vowels stay together; the upper ones are a matter of the person.
        spread = 0.06 if formant <= 3 else 0.1
        frequency = 100 * tract * rng.uniform(1 - spread, 1 + spread)
        height = 100 * rng.uniform(0.75, 1.25) + tilt * (formant - 2)
        width = 100 * rng.uniform(0.7, 1.7)
        lines.append(f"formant {formant} {frequency:.0f} {max(30, height):.0f} {width:.0f}")
    if rng.random() < 0.3:
        lines.append(f"roughness {rng.randint(1, 4)}")
    if rng.random() < 0.3:
        lines.append(f"flutter {rng.randint(1, 8)}")
    if rng.random() < 0.4:
        lines.append(f"voicing {rng.randint(55, 150)}")
    if rng.random() < 0.6:
        lines.append(f"consonants {rng.randint(65, 150)} {rng.randint(65, 150)}")
    if rng.random() < 0.35:
        lines.append("breath 0 " + " ".join(str(rng.randint(0, 7)) for _ in range(7)))
    if rng.random() < 0.2:
        lines.append(f"echo {rng.randint(60, 150)} {rng.randint(5, 15)}")
    if rng.random() < 0.25:
        lines.append(f"klatt {rng.randint(1, 5)}")
    return "\n".join(lines) + "\n"


def data_folder(installed):
    """A temporary folder that holds `installed` (a folder espeak-ng-data) by links, and the variants as files.

    Of the languages only those of `lang/gmw` (English is one): espeak-ng lists 349 voices at most.
    """
    root = tempfile.mkdtemp(prefix="espeak-")
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(root, ignore_errors=True))
    data = os.path.join(root, "espeak-ng-data")
    _link_all(installed, data, except_for=("voices", "lang"))
    os.makedirs(os.path.join(data, "lang"))
    os.symlink(os.path.join(installed, "lang", "gmw"), os.path.join(data, "lang", "gmw"))
    variants = os.path.join(data, "voices", "!v")
    _link_all(os.path.join(installed, "voices", "!v"), variants)
    for name in NAMES:
        with open(os.path.join(variants, name), "w") as out:
            out.write(variant_text(name))
    return root


def _link_all(source, target, except_for=()):
    os.makedirs(target)
    for entry in os.listdir(source):
        if entry not in except_for:
            os.symlink(os.path.join(source, entry), os.path.join(target, entry))
