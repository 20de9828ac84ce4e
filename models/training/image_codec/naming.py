"""What does a drawing show? At each place where a thing was asked for, the one of all things whose own picture is nearest
there, pixel by pixel at half size. Nothing about this is trained, so it owes nothing to a codec or a language model."""

import numpy as np
import torch
import torch.nn.functional as F

import pictures
import scenes

NAMES = list(pictures.OBJECTS)


def tensor(drawn):
    """List of [SIDE, SIDE, 3] floats -> [N, 3, SIDE, SIDE]."""
    return torch.from_numpy(np.stack(drawn)).float().permute(0, 3, 1, 2)


def _box(thing):
    left, top = round(thing.x - thing.size / 2), round(thing.y - thing.size / 2)
    clip = lambda at: max(0, min(scenes.SIDE, at))
    return slice(clip(top), clip(top + thing.size)), slice(clip(left), clip(left + thing.size))


def _at(images, box):
    rows, columns = box
    return F.avg_pool2d(images[..., rows, columns], 2)


class Namer:
    def __init__(self):
        self._drawn = {}  # (how many things, which of them, colour) -> all things, each drawn there
        self._sprites = {}  # size -> all things

    def _upright(self, size):
        if size not in self._sprites:
            self._sprites[size] = [pictures.render(name, size, 0.0, False) for name in NAMES]
        return self._sprites[size]

    def _candidates(self, count, place, colour):
        key = count, place, colour
        if key not in self._drawn:
            layout = scenes.arranged(NAMES[:count], colour)
            thing, background = layout.things[place], scenes.paint_background(layout.background)
            left, top = round(thing.x - thing.size / 2), round(thing.y - thing.size / 2)
            drawn = [background.copy() for _ in NAMES]
            for picture, sprite in zip(drawn, self._upright(thing.size)):
                pictures.paste(picture, sprite, left, top)
            self._drawn[key] = tensor(drawn)
        return self._drawn[key]

    def names(self, picture, scene):
        """picture [3, SIDE, SIDE] in [0, 1]; scene: of scenes.arranged, for its places and background -> what stands at its
        places, in its order."""
        found = []
        for place, thing in enumerate(scene.things):
            box = _box(thing)
            candidates = _at(self._candidates(len(scene.things), place, scene.background.colour), box)
            found.append(NAMES[int((candidates - _at(picture[None], box)).square().sum((1, 2, 3)).argmin())])
        return found

    def right(self, picture, scene):
        return self.names(picture, scene) == [thing.name for thing in scene.things]
