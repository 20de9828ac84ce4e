"""What does a drawing show? The nearest of all things' own drawings, by the features of a judge that was never trained on
anything but drawings: neither on what a codec makes of them nor on what a language model wrote."""

import numpy as np
import torch

import scenes
from image_codec.judge import NAMES, Judge, distance
from image_codec.model import GRID, ImageCodec


def tensor(pictures):
    """[N, SIDE, SIDE, 3] floats -> [N, 3, SIDE, SIDE]."""
    return torch.from_numpy(np.stack(pictures)).float().permute(0, 3, 1, 2)


class Namer:
    def __init__(self, judge, codec):
        """Checkpoints of train_judge.py (not the one that trained the codec) and of the codec."""
        self.judge, self.codec = Judge().eval(), ImageCodec().eval()
        self.judge.load_state_dict(torch.load(judge, map_location="cpu"))
        self.codec.load_state_dict(torch.load(codec, map_location="cpu"))
        self.references = {}  # colour -> features of every thing on it

    @torch.no_grad()
    def pictures(self, codes):
        """codes: list of lists -> [N, 3, SIDE, SIDE]; codes that are missing at the end are 0."""
        padded = [list(c) + [0] * (GRID**2 - len(c)) for c in codes]
        return self.codec.decode(torch.tensor(padded))

    @torch.no_grad()
    def name(self, picture, colour):
        """picture [3, SIDE, SIDE] that shows one thing on a background of this colour -> the thing it looks most like."""
        if colour not in self.references:
            drawn = tensor([scenes.draw(scenes.arranged([name], colour)) for name in NAMES])
            self.references[colour] = self.judge.features(drawn)
        found = self.judge.features(picture[None])
        distances = [float(distance(found, [r[n : n + 1] for r in self.references[colour]])) for n in range(len(NAMES))]
        return NAMES[int(np.argmin(distances))]

    @torch.no_grad()
    def names(self, picture, count):
        """The judge's own word: the `count` likeliest things in a picture."""
        logits, _ = self.judge(picture[None])
        return {NAMES[n] for n in logits[0].topk(count).indices.tolist()}
