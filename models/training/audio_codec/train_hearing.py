"""Stage 2: ears. An encoder with codebooks of its own that carries what was said, and nothing else.

    python3 -m audio_codec.train_hearing --data DIR --start encoder.pt --out hearing.pt --minutes 30

Nobody decodes what a user says: the codes of the heard channel serve recognition alone. So here encoder and codebooks of
stage 1 part from the codec's and are trained on phonemes only, of all voices, strongly augmented: from all four codes
together, from the semantic one, and unquantised. Without spectra and a decoder a step costs a fourth of stage 1's. The
codec of the output voice stays what it was in stage 1.

All codes together are also asked for the phonemes of the frame before, which by then have been heard in their context.

It can be run again, on more voices: `--start codec_tokens.pt --readout-steps 200` from weights that restore_codec.py took from a
model folder, where the read-out of phonemes is missing and must be learned before the encoder may move.
"""

import argparse
import math

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from augment import augment, equalise
from codebook import CodebookStatistics, perplexity
import training_loop
from audio_codec.corpus import HOP, Corpus, add_data_option, utterances
from audio_codec.model import FRAME, PHONEMES, SIZES, SUBFRAMES, VECTOR, Codec, phoneme_targets

ALL_CODES_WEIGHT, BEFORE_WEIGHT, SEMANTIC_WEIGHT, UNQUANTISED_WEIGHT = 1.0, 0.4, 0.4, 0.4
COMMITMENT_WEIGHT = 0.05
OUTPUT_VOICE_SHARE = 0.1  # of the crops: a user may sound like Wren
TRACTS, TRACT_SHARE = (0.82, 1.25), 0.6  # lengths of vocal tracts that are imitated, beside those of the voices
WARP = 0.12  # crops are played up to so much slower or faster: other pitches and vocal tracts
WARP_SHARE, EQUALISE_SHARE = 0.5, 0.5


class Hearer(nn.Module):
    """Phonemes of a frame, and of the frame before, from the vectors of all its codes. Serves training only."""

    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale)
        self.net = nn.Sequential(nn.Linear(2 * VECTOR, 256), nn.ReLU(), nn.Linear(256, 2 * SUBFRAMES * PHONEMES))

    def forward(self, semantic, acoustic):
        """-> (logits of the frame, logits of the frame before), [B, T, SUBFRAMES * PHONEMES] each."""
        return self.net(torch.cat([semantic, acoustic], -1) * self.scale).chunk(2, -1)


class Batches:
    """Crops of all voices: warped, equalised, augmented."""

    def __init__(self, folder, count, samples, seed):
        self.output, self.input = Corpus(folder, "output"), Corpus(folder, "input")
        self.count, self.samples = count, samples
        self.rng = np.random.default_rng(seed)

    def _heard(self):
        rng = self.rng
        corpus = self.output if rng.random() < OUTPUT_VOICE_SHARE else self.input
        factor = rng.uniform(1 - WARP, 1 + WARP) if rng.random() < WARP_SHARE else 1.0
        taken = int(math.ceil(self.samples * factor / HOP)) * HOP
        (wave,), (labels,) = corpus.crops(1, taken, rng)
        if factor != 1.0:
            wave = np.interp(np.arange(self.samples) * factor, np.arange(taken), wave).astype(np.float32)
            at = ((np.arange(self.samples // HOP) + 0.5) * factor).astype(int)
            labels = labels[np.minimum(at, len(labels) - 1)]
        if rng.random() < EQUALISE_SHARE:
            wave = equalise(wave, rng)
        return augment(wave, rng)[0], labels

    def next(self):
        """-> (waves [count, samples], labels, lengths of vocal tracts [count], numpy)."""
        crops = [self._heard() for _ in range(self.count)]
        tracts = np.where(self.rng.random(self.count) < TRACT_SHARE, self.rng.uniform(*TRACTS, self.count), 1.0)
        waves, labels = (torch.from_numpy(np.stack([crop[i] for crop in crops])) for i in (0, 1))
        return waves, labels, tracts


def quantise(quantiser, semantic, acoustic):
    """Quantiser.forward with all codebooks."""
    return quantiser(semantic, acoustic, torch.full((len(semantic),), len(SIZES)))


def frame_before(targets):
    """Targets [B, T, SUBFRAMES] one frame later."""
    return F.pad(targets, (0, 0, 1, 0))[:, :-1]


def cross_entropy(logits, targets):
    return F.cross_entropy(logits.reshape(-1, PHONEMES), targets.reshape(-1))


def losses(codec, hearer, batch, readout_only=False):
    heard, labels, tracts = batch
    with torch.set_grad_enabled(not readout_only):
        semantic, acoustic = codec.encoder(heard, tracts)
        first, all_vectors, commitment, inputs = quantise(codec.quantiser, semantic, acoustic)
    targets = phoneme_targets(labels)
    now, before = hearer(first, all_vectors)
    parts = {
        "all_codes": cross_entropy(now, targets),
        "before": cross_entropy(before, frame_before(targets)),
        "first_code": cross_entropy(codec.phonemes(first), targets),
        "unquantised": cross_entropy(hearer(semantic, acoustic)[0], targets),
        "commitment": commitment,
    }
    weights = (ALL_CODES_WEIGHT, BEFORE_WEIGHT, SEMANTIC_WEIGHT, UNQUANTISED_WEIGHT, COMMITMENT_WEIGHT)
    return sum(w * p for w, p in zip(weights, parts.values())), parts, inputs


@torch.no_grad()
def evaluate(codec, hearer, folder, limit):
    """Accuracy in per cent of 20 ms sub-frames that are not silence: from all codes; the same, one frame later; from the
    first code; unquantised. And the perplexity of each codebook."""
    result = {}
    for name in ("eval_output", "eval_input", "eval_seen"):
        right, used = [], []
        for _, _, wave, labels in utterances(folder, name, limit):
            semantic, acoustic = codec.encoder(wave)
            first, all_vectors, _, inputs = quantise(codec.quantiser, semantic, acoustic)
            used.append(torch.stack([codes[0] for _, codes in inputs]))
            targets = phoneme_targets(labels)
            now, before = hearer(first, all_vectors)
            guesses = ((now, targets), (before, frame_before(targets)), (codec.phonemes(first), targets),
                       (hearer(semantic, acoustic)[0], targets))
            hits = [(logits.view(1, -1, SUBFRAMES, PHONEMES).argmax(-1) == wanted)[wanted > 0].float()
                    for logits, wanted in guesses]
            right.append([torch.stack([h.sum(), torch.tensor(float(len(h)))]) for h in hits])
        totals = [sum(row[i] for row in right) for i in range(4)]
        result[name] = [round(100 * float(t[0] / t[1]), 1) for t in totals]
        result[name + "_perplexity"] = [perplexity(codes) for codes in torch.cat(used, 1)]
    return result


@torch.no_grad()
def vector_scale(codec, batches):
    """[2 * VECTOR] that brings both halves of a hearer's input to about unit size, each as a whole."""
    heard, _, _ = batches.next()
    first, all_vectors, _, _ = quantise(codec.quantiser, *codec.encoder(heard))
    return torch.cat([torch.full((VECTOR,), 1 / float(v.std())) for v in (first, all_vectors)])


class HearingStage(training_loop.Stage):
    def __init__(self, options, codec, hearer):
        self.options, self.codec, self.hearer = options, codec, hearer
        self.statistics = CodebookStatistics(codec.quantiser.books, options.processes)
        self.steps = 0

    def attach(self, rank):
        self.rank = rank
        self.generator = torch.Generator().manual_seed(self.options.seed)
        self.batches = make_batches(self.options, self.options.seed * 10 + rank)

    def losses(self):
        self.steps += 1
        readout_only = self.steps <= self.options.readout_steps
        total, parts, self.inputs = losses(self.codec, self.hearer, self.batches.next(), readout_only)
        self.statistics.record(self.rank, self.inputs)
        return total, parts

    def between_steps(self, step):
        # The other processes read the codebooks only in their next forward pass.
        self.statistics.update(self.inputs, step, self.generator)

    def evaluate(self, last):
        return evaluate(self.codec, self.hearer, self.options.data, 120 if last else 24)

    def state(self):
        return self.codec.state_dict()


def make_batches(options, seed):
    return Batches(options.data, options.batch, int(options.seconds * 12.5) * FRAME, seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    training_loop.add_options(parser, "hearing.pt", minutes=30, rate=6e-4, batch=16, seed=2)
    add_data_option(parser)
    parser.add_argument("--start", required=True, help="checkpoint of stage 1, or of this one")
    parser.add_argument("--seconds", type=float, default=2.0, help="a crop")
    parser.add_argument("--readout-steps", type=int, default=0, help="steps at first in which only the read-out learns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec = Codec()
    codec.load_state_dict(torch.load(options.start, map_location="cpu"))
    hearer = Hearer(vector_scale(codec, make_batches(options, options.seed)))
    for buffer in codec.buffers():
        buffer.share_memory_()
    learning = [p for part in (codec.encoder, codec.quantiser, codec.phonemes, hearer) for p in part.parameters()]
    training_loop.train(options, learning, HearingStage(options, codec, hearer))


if __name__ == "__main__":
    main()
