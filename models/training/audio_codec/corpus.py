"""Reads the sets that data.py wrote."""

import json
import os

import numpy as np
import torch

HOP, FRAME = 160, 1280


def add_data_option(parser):
    """--data: the folder that data.py filled."""
    parser.add_argument("--data", default=os.path.join(os.environ.get("WREN_WORK", "/tmp/wren"), "codec_data"))


class Corpus:
    """Random crops of a training set."""

    def __init__(self, folder, name):
        self.waves = np.load(f"{folder}/{name}.wave.npy", mmap_mode="r")
        self.labels = np.load(f"{folder}/{name}.labels.npy")

    def crops(self, count, samples, rng):
        """([count, samples] float32, [count, samples / 160] int64)"""
        waves = np.empty((count, samples), np.float32)
        labels = np.empty((count, samples // HOP), np.int64)
        for i in range(count):
            start = int(rng.integers(0, len(self.labels) - samples // HOP))
            waves[i] = self.waves[start * HOP : start * HOP + samples]
            labels[i] = self.labels[start : start + samples // HOP]
        return waves / 32768, labels


def utterances(folder, name, limit=None):
    """(text, voice, wave [1, n], labels [1, n / 160]) of a set, whole frames, silence added at the end."""
    waves = np.load(f"{folder}/{name}.wave.npy", mmap_mode="r")
    labels = np.load(f"{folder}/{name}.labels.npy")
    with open(f"{folder}/{name}.json") as index:
        entries = json.load(index)
    for text, voice, start, count in entries[:limit]:
        frames = -(-count // FRAME) + 1
        wave = np.zeros(frames * FRAME, np.float32)
        wave[:count] = waves[start : start + count] / np.float32(32768)
        label = np.zeros(frames * FRAME // HOP, np.int64)
        label[: count // HOP] = labels[start // HOP : (start + count) // HOP]
        yield text, voice, torch.from_numpy(wave)[None], torch.from_numpy(label)[None]
