"""Trains a judge: `python3 -m image_codec.train_judge --data DIR --out judge.pt --seed 1 --minutes 10`."""

import argparse

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch

import training_loop
from image_codec.data import Pictures
from image_codec.judge import Judge, accuracy, losses

NOISE = 0.04  # of the pictures: reconstructions are not as sharp as drawings


class JudgeStage(training_loop.Stage):
    def __init__(self, options, judge):
        self.options, self.judge = options, judge

    def attach(self, rank):
        self.rng = np.random.default_rng(self.options.seed * 10 + rank)
        self.pictures = Pictures(self.options.data, "scenes")
        self.held_out = Pictures(self.options.data, "held_out")

    def losses(self):
        chosen = np.sort(self.rng.integers(0, len(self.pictures), self.options.batch))
        picture = self.pictures.take(chosen)
        picture = picture + NOISE * float(self.rng.random()) * torch.randn_like(picture)
        names, colours = losses(self.judge, picture, *self.pictures.labels(chosen))
        return names + 0.5 * colours, {"names": names, "colours": colours}

    def evaluate(self, last):
        chosen = np.arange(len(self.held_out) if last else min(200, len(self.held_out)))
        names, colours = accuracy(self.judge, self.held_out.take(chosen), *self.held_out.labels(chosen))
        return {"named": names, "colour": colours}

    def state(self):
        return self.judge.state_dict()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    training_loop.add_options(parser, "judge.pt", minutes=10, rate=1e-3, batch=32, seed=1)
    parser.add_argument("--data", required=True, help="folder of image_codec.data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    judge = Judge()
    training_loop.train(options, judge.parameters(), JudgeStage(options, judge))


if __name__ == "__main__":
    main()
