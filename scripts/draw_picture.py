#!/usr/bin/python3
"""Draws a picture for scripts/demo.sh, and tells what one shows.

    scripts/draw_picture.py OUT.png BACKGROUND THING [THING ...]     things of models/training/pictures.py
    scripts/draw_picture.py --name FILE.png BACKGROUND               the thing whose own picture is nearest to it
"""

import os
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "training"))

import pictures
import scenes


def name_of(path, background):
    """The picture is one thing alone; nearest pixel by pixel, at half size."""
    small = lambda image: np.asarray(image.convert("RGB").resize((scenes.SIDE // 2,) * 2, Image.Resampling.BOX), np.float32)
    wanted = small(Image.open(path))
    drawn = lambda name: Image.fromarray((scenes.draw(scenes.arranged([name], background)) * 255 + 0.5).astype(np.uint8))
    return min(pictures.OBJECTS, key=lambda name: float(np.square(small(drawn(name)) - wanted).sum()))


def main():
    if sys.argv[1] == "--name":
        print(name_of(sys.argv[2], sys.argv[3]))
        return
    path, background, *names = sys.argv[1:]
    picture = scenes.draw(scenes.arranged(names, background))
    image = Image.fromarray((picture * 255 + 0.5).astype(np.uint8))
    image.resize((256, 256), Image.Resampling.LANCZOS).save(path)  # any size will do: the server fits it


if __name__ == "__main__":
    main()
