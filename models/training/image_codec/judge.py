"""A network that names what is in a picture.

Two are trained, from different seeds: the features of one are a loss for the image codec, the other never meets a
picture that a codec or a language model has made before it judges them.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

import pictures
import scenes
from image_codec.layers import Conv, activate, residuals

NAMES, COLOURS = list(pictures.OBJECTS), list(scenes.COLOURS)


class Judge(nn.Module):
    def __init__(self, widths=(32, 64, 128, 192)):
        super().__init__()
        inputs, stages = 3, []
        for index, width in enumerate(widths):
            stages.append(nn.Sequential(Conv(inputs, width, 4, 2, active=index > 0), *residuals(width, 1)))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.names = nn.Conv2d(inputs, len(NAMES), 1)  # at every place of the last grid
        self.colours = nn.Linear(inputs, len(COLOURS))

    def features(self, picture):
        """[B, 3, SIDE, SIDE] in [0, 1] -> one map a stage."""
        x, found = picture * 2 - 1, []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, picture):
        """-> (logits of the names [B, N], of the background's colour)."""
        x = activate(self.features(picture)[-1])
        # A thing is where it is seen best.
        return self.names(x).flatten(2).logsumexp(2), self.colours(x.mean((2, 3)))


def distance(features, others):
    """How differently two pictures look to a judge: mean squared difference of features of unit length, averaged over
    the stages (as LPIPS, Zhang et al. 2018, without learned weights)."""
    unit = lambda x: x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt()
    return sum((unit(a) - unit(b)).square().sum(1).mean() for a, b in zip(features, others)) / len(features)


def losses(judge, picture, things, colours):
    """things: float [B, N], 1 for what is shown."""
    names, background = judge(picture)
    wanted = things / things.sum(1, keepdim=True)
    return -(wanted * F.log_softmax(names, 1)).sum(1).mean(), F.cross_entropy(background, colours)


@torch.no_grad()
def accuracy(judge, picture, things, colours):
    """Per cent of the pictures in which all things are named (the likeliest names, as many as are shown), and whose
    colour is right."""
    names, background = judge(picture)
    count = things.sum(1).long()
    ranked = names.argsort(1, descending=True)
    right = [set(row[:n].tolist()) == set(thing.nonzero()[:, 0].tolist()) for row, n, thing in zip(ranked, count, things)]
    hits = (background.argmax(1) == colours).float()
    return round(100 * sum(right) / len(right), 1), round(100 * float(hits.mean()), 1)
