"""Trains the image codec against the pixels, their edges, the features of a judge, and what a small network can read
from the codes alone: a language model has to see with them.

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
from image_codec import judge as judges
from image_codec.judge import Judge, distance
from image_codec.layers import Conv, residuals
from image_codec.model import VECTOR, ImageCodec

CLUTTER_SHARE = 0.2
EDGE_WEIGHT, FEATURE_WEIGHT, COMMITMENT_WEIGHT, READING_WEIGHT = 1.0, 0.3, 0.25, 0.03


class Reader(torch.nn.Module):
    """Names things and background from the vectors of the codes. Not part of the codec that is kept."""

    def __init__(self, width=128):
        super().__init__()
        self.body = torch.nn.Sequential(Conv(VECTOR, width, active=False), *residuals(width, 1))
        self.names = torch.nn.Conv2d(width, len(judges.NAMES), 1)
        self.colours = torch.nn.Linear(width, len(judges.COLOURS))

    def forward(self, vectors):
        """[B, GRID, GRID, VECTOR] -> as Judge."""
        x = judges.activate(self.body(vectors.permute(0, 3, 1, 2)))
        return self.names(x).flatten(2).logsumexp(2), self.colours(x.mean((2, 3)))


def edges(picture):
    """Differences of neighbours, at full and at half size."""
    half = F.avg_pool2d(picture, 2)
    return [d for p in (picture, half) for d in (p[..., 1:] - p[..., :-1], p[..., 1:, :] - p[..., :-1, :])]


def losses(codec, judge, picture):
    """-> (loss, its parts, codebook input and codes, vectors of the codes)."""
    vectors, commitment, inputs = codec.quantise(picture)
    made = codec.paint(vectors)
    with torch.no_grad():
        wanted = judge.features(picture)
    parts = {
        "pixels": F.l1_loss(made, picture),
        "edges": sum(F.l1_loss(a, b) for a, b in zip(edges(made), edges(picture))),
        "features": distance(judge.features(made), wanted),
        "commitment": commitment,
    }
    weights = (1.0, EDGE_WEIGHT, FEATURE_WEIGHT, COMMITMENT_WEIGHT)
    return sum(w * p for w, p in zip(weights, parts.values())), parts, inputs, vectors


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
    def __init__(self, options, codec, reader, judge):
        self.options, self.codec, self.reader, self.judge = options, codec, reader, judge
        self.statistics = CodebookStatistics([codec.book], options.processes)

    def attach(self, rank):
        self.rank = rank
        self.rng = np.random.default_rng(self.options.seed * 10 + rank)
        self.generator = torch.Generator().manual_seed(self.options.seed)
        self.scenes, self.clutter = Pictures(self.options.data, "scenes"), Pictures(self.options.data, "clutter")
        self.held_out = {name: Pictures(self.options.data, name) for name in ("held_out", "held_out_clutter")}

    def batch(self):
        """-> (pictures, scenes first; things and colours of the scenes)."""
        count = round(self.options.batch * CLUTTER_SHARE)
        scenes, clutter = (np.sort(self.rng.integers(0, len(s), n)) for s, n in
                           ((self.scenes, self.options.batch - count), (self.clutter, count)))
        picture = torch.cat([self.scenes.take(scenes), self.clutter.take(clutter)])
        return picture.flip(3) if self.rng.random() < 0.5 else picture, self.scenes.labels(scenes)

    def losses(self):
        picture, (things, colours) = self.batch()
        total, parts, inputs, vectors = losses(self.codec, self.judge, picture)
        names, background = judges.losses(self.reader, vectors[: len(things)], things, colours)
        parts.update(names=names, background=background)
        self.inputs = [inputs]
        self.statistics.record(self.rank, self.inputs)
        return total + READING_WEIGHT * (names + background), parts

    def between_steps(self, step):
        # The other processes read the codebook only in their next forward pass.
        self.statistics.update(self.inputs, step, self.generator)

    def evaluate(self, last):
        count = 800 if last else 100
        figures = {name: evaluate(self.codec, self.judge, pictures, count) for name, pictures in self.held_out.items()}
        chosen = np.arange(min(count, len(self.held_out["held_out"])))
        pictures = self.held_out["held_out"]
        with torch.no_grad():
            vectors = self.codec.quantise(pictures.take(chosen))[0]
        figures["read"] = judges.accuracy(self.reader, vectors, *pictures.labels(chosen))
        return figures

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
    codec, reader, judge = ImageCodec(), Reader(), Judge()
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
    training_loop.train(options, [*codec.parameters(), *reader.parameters()],
                        AutoencoderStage(options, codec, reader, judge))


if __name__ == "__main__":
    main()
