"""Stage 1: encoder and codebooks, against a cheap inverse-STFT decoder.

    python3 -m audio_codec.train_encoder --data DIR --out encoder.pt --minutes 30
"""

import argparse
import json

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch
import torch.nn.functional as F

from augment import augment
from codebook import CodebookStatistics, perplexity
import training_loop
from audio_codec.corpus import Corpus, add_data_option, utterances
from audio_codec.losses import SpectralLoss
from audio_codec.model import PHONEMES, SIZES, Codec, phoneme_targets

OUTPUT_WEIGHT, INPUT_WEIGHT = 1.4, 0.6


class Batches:
    """Half output voice (light changes of level only), half input voices (augmented, clean target)."""

    def __init__(self, folder, count, samples, seed):
        self.output, self.input = Corpus(folder, "output"), Corpus(folder, "input")
        self.count, self.samples = count, samples
        self.rng = np.random.default_rng(seed)
        half = count // 2
        self.weights = torch.cat([torch.full((half,), OUTPUT_WEIGHT), torch.full((count - half,), INPUT_WEIGHT)])

    def next(self):
        half = self.count // 2
        ours, our_labels = self.output.crops(half, self.samples, self.rng)
        ours *= 10 ** (self.rng.uniform(-3, 2, (half, 1)).astype(np.float32) / 20)
        others, other_labels = self.input.crops(self.count - half, self.samples, self.rng)
        pairs = [augment(wave, self.rng) for wave in others]
        heard = np.concatenate([ours, np.stack([p[0] for p in pairs])]).astype(np.float32)
        clean = np.concatenate([ours, np.stack([p[1] for p in pairs])]).astype(np.float32)
        labels = np.concatenate([our_labels, other_labels])
        return torch.from_numpy(heard), torch.from_numpy(clean), torch.from_numpy(labels)


def losses(codec, spectral, batch, weights):
    heard, clean, labels = batch
    semantic, acoustic = codec.encoder(heard)
    count = len(heard)
    all_books = torch.full((count,), len(SIZES) - 1)
    keep = torch.where(torch.rand(count) < 0.25, torch.randint(0, len(SIZES), (count,)), all_books)
    quantised, vectors, commitment, inputs = codec.quantiser(semantic, acoustic, keep)
    spectrum = spectral(codec.decoder(vectors), clean, weights)
    targets = phoneme_targets(labels).reshape(-1)
    phonemes = F.cross_entropy(codec.phonemes(quantised).reshape(-1, PHONEMES), targets)
    unquantised = F.cross_entropy(codec.phonemes(semantic).reshape(-1, PHONEMES), targets)
    total = spectrum + 0.5 * (phonemes + 0.5 * unquantised) + 0.25 * commitment
    return total, {"spectrum": spectrum, "phonemes": phonemes, "commitment": commitment}, inputs


@torch.no_grad()
def start_codebooks(codec, batches, generator):
    """Codebooks start at what the untrained encoder makes of data."""
    made = [codec.encoder(batches.next()[0]) for _ in range(12)]
    semantic, acoustic = (torch.cat([m[i] for m in made]) for i in (0, 1))
    books = codec.quantiser.books
    books[0].start(semantic, generator)
    rest = acoustic - codec.quantiser.predict(books[0].vectors[books[0].nearest(semantic)])
    for book in books[1:]:
        book.start(rest, generator)
        rest = rest - book.vectors[book.nearest(rest)]


@torch.no_grad()
def evaluate(codec, folder, limit):
    """Phoneme accuracy in per cent of 20 ms sub-frames that are not silence, and codes in use (perplexity)."""
    result = {}
    for name in ("eval_output", "eval_input", "eval_seen"):
        right, used = [], []
        for _, _, wave, labels in utterances(folder, name, limit):
            codes = codec.encode(wave)
            guess = codec.phonemes(codec.quantiser.books[0].vectors[codes[..., 0]]).view(1, -1, 4, PHONEMES).argmax(-1)
            targets = phoneme_targets(labels)
            right.append((guess == targets)[targets > 0].float())
            used.append(codes[0])
        used = torch.cat(used)
        result[name] = {"phonemes": round(100 * float(torch.cat(right).mean()), 1),
                        "perplexity": [perplexity(codes) for codes in used.t()]}
    return result


class EncoderStage(training_loop.Stage):
    def __init__(self, options, codec):
        self.options, self.codec = options, codec
        self.statistics = CodebookStatistics(codec.quantiser.books, options.processes)

    def attach(self, rank):
        self.rank = rank
        self.generator = torch.Generator().manual_seed(self.options.seed)
        self.batches = make_batches(self.options, self.options.batch, self.options.seed * 10 + rank)
        self.spectral = SpectralLoss()

    def losses(self):
        total, parts, self.inputs = losses(self.codec, self.spectral, self.batches.next(), self.batches.weights)
        self.statistics.record(self.rank, self.inputs)
        return total, parts

    def between_steps(self, step):
        # The other processes read the codebooks only in their next forward pass.
        self.statistics.update(self.inputs, step, self.generator)

    def evaluate(self, last):
        return evaluate(self.codec, self.options.data, 120 if last else 16)

    def state(self):
        return self.codec.state_dict()


def make_batches(options, count, seed):
    return Batches(options.data, count, int(options.seconds * 16000), seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    training_loop.add_options(parser, "encoder.pt", minutes=45, rate=8e-4, batch=10, seed=1)
    add_data_option(parser)
    parser.add_argument("--seconds", type=float, default=1.28, help="a crop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec = Codec()
    start_codebooks(codec, make_batches(options, 16, options.seed), torch.Generator().manual_seed(options.seed))
    for buffer in codec.buffers():
        buffer.share_memory_()
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in codec.named_children()}
    print(json.dumps({"parameters": size}), flush=True)
    training_loop.train(options, codec.parameters(), EncoderStage(options, codec))


if __name__ == "__main__":
    main()
