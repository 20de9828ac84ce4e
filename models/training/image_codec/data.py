"""Draws the pictures that the image codec and its judges learn from.

    python3 -m image_codec.data --out DIR [--scenes 30000] [--clutter 8000]

writes training scenes, held-out scenes (other seeds; every one a combination that training has not) and shapes without a
name: <set>.npy uint8 [N, SIDE, SIDE, 3], and <set>.json, a list of [names, colour] a scene.
"""

import argparse
import json
import multiprocessing
import os
import random

import numpy as np
import torch

import scenes
from image_codec.judge import COLOURS, NAMES

HELD_OUT = 800


def _scene(seed):
    scene = scenes.random_scene(random.Random(f"scene {seed}"))
    picture = (scenes.draw(scene) * 255 + 0.5).astype(np.uint8)
    return picture, ([thing.name for thing in scene.things], scene.background.colour)


def _clutter(seed):
    return (scenes.clutter(random.Random(f"clutter {seed}")) * 255 + 0.5).astype(np.uint8), None


def _write(folder, name, make, seeds, pool):
    made = pool.map(make, seeds, chunksize=64)
    np.save(os.path.join(folder, name + ".npy"), np.stack([picture for picture, _ in made]))
    with open(os.path.join(folder, name + ".json"), "w") as out:
        json.dump([about for _, about in made], out)
    print(f"{name}: {len(made)}", flush=True)


class Pictures:
    """A set that was written, as tensors."""

    def __init__(self, folder, name):
        self.pictures = np.load(os.path.join(folder, name + ".npy"), mmap_mode="r")
        with open(os.path.join(folder, name + ".json")) as source:
            self.about = json.load(source)

    def __len__(self):
        return len(self.pictures)

    def take(self, indices):
        """-> float [B, 3, SIDE, SIDE] in [0, 1]."""
        return torch.from_numpy(self.pictures[indices].astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()

    def labels(self, indices):
        """-> (things [B, N], colours [B])."""
        things = torch.zeros(len(indices), len(NAMES))
        for row, index in enumerate(indices):
            things[row, [NAMES.index(name) for name in self.about[index][0]]] = 1
        return things, torch.tensor([COLOURS.index(self.about[index][1]) for index in indices])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--scenes", type=int, default=30000)
    parser.add_argument("--clutter", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    with multiprocessing.Pool(options.processes) as pool:
        _write(options.out, "held_out", _scene, [f"held out {n}" for n in range(HELD_OUT)], pool)
        _write(options.out, "held_out_clutter", _clutter, [f"held out {n}" for n in range(HELD_OUT // 4)], pool)
        _write(options.out, "clutter", _clutter, range(options.clutter), pool)
        _write(options.out, "scenes", _scene, range(options.scenes), pool)


if __name__ == "__main__":
    main()
