"""Trains the image codec against the pixels, their edges, and the features of a judge.

    python3 -m image_codec.train_autoencoder --data DIR --judge judge_1.pt --out image_codec.pt --minutes 60
"""

import argparse

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch
import torch.nn.functional as F

import training_loop
from codebook import CodebookStatistics, perplexity
from image_codec.data import Pictures
from image_codec.judge import Judge, distance
from image_codec.model import ImageCodec

CLUTTER_SHARE = 0.2
EDGE_WEIGHT, FEATURE_WEIGHT, COMMITMENT_WEIGHT = 1.0, 0.3, 0.25


def edges(picture):
    """Differences of neighbours, at full and at half size."""
    half = F.avg_pool2d(picture, 2)
    return [d for p in (picture, half) for d in (p[..., 1:] - p[..., :-1], p[..., 1:, :] - p[..., :-1, :])]


def losses(codec, judge, picture):
    made, commitment, inputs = codec(picture)
    with torch.no_grad():
        wanted = judge.features(picture)
    parts = {
        "pixels": F.l1_loss(made, picture),
        "edges": sum(F.l1_loss(a, b) for a, b in zip(edges(made), edges(picture))),
        "features": distance(judge.features(made), wanted),
        "commitment": commitment,
    }
    weights = (1.0, EDGE_WEIGHT, FEATURE_WEIGHT, COMMITMENT_WEIGHT)
    return sum(w * p for w, p in zip(weights, parts.values())), parts, inputs


def signal_to_noise(made, picture):
    """Mean over pictures of the peak signal-to-noise ratio, dB."""
    error = (made.clamp(0, 1) - picture).square().mean((1, 2, 3)).clamp(min=1e-8)
    return float((-10 * error.log10()).mean())


@torch.no_grad()
def evaluate(codec, judge, held_out, count):
    chosen = np.arange(min(count, len(held_out)))
    picture = held_out.take(chosen)
    codes = codec.encode(picture)
    made = codec.decode(codes)
    return {"psnr": round(signal_to_noise(made, picture), 2),
            "features": round(float(distance(judge.features(made), judge.features(picture))), 4),
            "perplexity": perplexity(codes.flatten())}


class AutoencoderStage(training_loop.Stage):
    def __init__(self, options, codec, judge):
        self.options, self.codec, self.judge = options, codec, judge
        self.statistics = CodebookStatistics([codec.book], options.processes)

    def attach(self, rank):
        self.rank = rank
        self.rng = np.random.default_rng(self.options.seed * 10 + rank)
        self.generator = torch.Generator().manual_seed(self.options.seed)
        self.scenes, self.clutter = Pictures(self.options.data, "scenes"), Pictures(self.options.data, "clutter")
        self.held_out = {name: Pictures(self.options.data, name) for name in ("held_out", "held_out_clutter")}

    def batch(self):
        count = round(self.options.batch * CLUTTER_SHARE)
        parts = [(self.scenes, self.options.batch - count), (self.clutter, count)]
        picture = torch.cat([s.take(np.sort(self.rng.integers(0, len(s), n))) for s, n in parts])
        return picture.flip(3) if self.rng.random() < 0.5 else picture

    def losses(self):
        total, parts, inputs = losses(self.codec, self.judge, self.batch())
        self.inputs = [inputs]
        self.statistics.record(self.rank, self.inputs)
        return total, parts

    def between_steps(self, step):
        # The other processes read the codebook only in their next forward pass.
        self.statistics.update(self.inputs, step, self.generator)

    def evaluate(self, last):
        count = 800 if last else 100
        return {name: evaluate(self.codec, self.judge, pictures, count) for name, pictures in self.held_out.items()}

    def state(self):
        return self.codec.state_dict()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    training_loop.add_options(parser, "image_codec.pt", minutes=60, rate=8e-4, batch=16, seed=1)
    parser.add_argument("--data", required=True, help="folder of image_codec.data")
    parser.add_argument("--judge", required=True, help="checkpoint of train_judge.py, not the one that evaluates")
    parser.add_argument("--start", default="", help="checkpoint to go on from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec, judge = ImageCodec(), Judge()
    judge.load_state_dict(torch.load(options.judge, map_location="cpu"))
    judge.eval().requires_grad_(False)
    if options.start:
        codec.load_state_dict(torch.load(options.start, map_location="cpu"))
    else:
        pictures = Pictures(options.data, "scenes")
        with torch.no_grad():
            codec.book.start(codec.latents(pictures.take(np.arange(min(128, len(pictures))))),
                             torch.Generator().manual_seed(options.seed))
    for buffer in codec.buffers():
        buffer.share_memory_()
    training_loop.train(options, codec.parameters(), AutoencoderStage(options, codec, judge))


if __name__ == "__main__":
    main()
