"""Stage 2: the encoder learns to hear, against the codebooks of stage 1, which stay as they are.

    python3 train_hearing.py --data DIR --start encoder.pt --out hearing.pt --minutes 30

Nobody decodes what a user says: the codes of an input voice serve recognition alone. So here input voices, strongly
augmented, are trained on phonemes only, read from all four codes together and from the semantic one; without spectra
and a decoder a step costs a fourth of stage 1's. The output voice keeps the latent vectors that it has at the start, and
with them its sound and the decoder's training.

It can be run again, on more voices: `--start codec_tokens.pt --readout-steps 200` from weights that restore_codec.py took from a
model folder, where the read-out of phonemes is missing and must be learned before the encoder may move.
"""

import argparse
import copy
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from shared_training import use_heap_for_temporaries

if __name__ == "__main__":
    use_heap_for_temporaries()

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import training_loop
from augment import augment, equalise
from corpus import HOP, Corpus, utterances
from model import FRAME, PHONEMES, SUBFRAMES, VECTOR, Codec, phoneme_targets

ALL_CODES_WEIGHT, SEMANTIC_WEIGHT, UNQUANTISED_WEIGHT = 1.0, 0.5, 0.5
COMMITMENT_WEIGHT, OUTPUT_VOICE_WEIGHT = 0.05, 0.05
TRACTS, TRACT_SHARE = (0.82, 1.25), 0.6  # lengths of vocal tracts that are imitated, beside those of the voices
WARP = 0.12  # crops are played up to so much slower or faster: other pitches and vocal tracts
WARP_SHARE, EQUALISE_SHARE = 0.5, 0.5


class Hearer(nn.Module):
    """Phonemes of a frame from the vectors of all its codes. Serves training only."""

    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale)
        self.net = nn.Sequential(nn.Linear(2 * VECTOR, 256), nn.ReLU(), nn.Linear(256, SUBFRAMES * PHONEMES))

    def forward(self, semantic, acoustic):
        return self.net(torch.cat([semantic, acoustic], -1) * self.scale)


class Batches:
    """A part output voice (light changes of level only), the rest input voices: warped, equalised, augmented."""

    def __init__(self, folder, count, output_count, samples, seed):
        self.output, self.input = Corpus(folder, "output"), Corpus(folder, "input")
        self.count, self.output_count, self.samples = count, output_count, samples
        self.rng = np.random.default_rng(seed)

    def _heard(self):
        rng = self.rng
        factor = rng.uniform(1 - WARP, 1 + WARP) if rng.random() < WARP_SHARE else 1.0
        taken = int(math.ceil(self.samples * factor / HOP)) * HOP
        (wave,), (labels,) = self.input.crops(1, taken, rng)
        if factor != 1.0:
            wave = np.interp(np.arange(self.samples) * factor, np.arange(taken), wave).astype(np.float32)
            at = ((np.arange(self.samples // HOP) + 0.5) * factor).astype(int)
            labels = labels[np.minimum(at, len(labels) - 1)]
        if rng.random() < EQUALISE_SHARE:
            wave = equalise(wave, rng)
        return augment(wave, rng)[0], labels

    def next(self):
        ours, _ = self.output.crops(self.output_count, self.samples, self.rng)
        ours *= 10 ** (self.rng.uniform(-3, 2, (self.output_count, 1)).astype(np.float32) / 20)
        others = [self._heard() for _ in range(self.count - self.output_count)]
        tracts = np.where(self.rng.random(len(others)) < TRACT_SHARE, self.rng.uniform(*TRACTS, len(others)), 1.0)
        return (torch.from_numpy(ours), torch.from_numpy(np.stack([o[0] for o in others])),
                torch.from_numpy(np.stack([o[1] for o in others])), np.concatenate([np.ones(len(ours)), tracts]))


def quantise(quantiser, semantic, acoustic):
    """(semantic vector, sum of the acoustic vectors, squared distances to them); gradients pass straight through."""
    book = quantiser.books[0]
    chosen = book.vectors[book.nearest(semantic)]
    commitment = F.mse_loss(semantic, chosen)
    rest = acoustic - quantiser.predict(chosen)
    total, left = 0, rest.detach()
    for book in list(quantiser.books)[1:]:
        vectors = book.vectors[book.nearest(left)]
        total, left = total + vectors, left - vectors
    commitment = commitment + F.mse_loss(rest, total)
    return semantic + (chosen - semantic).detach(), rest + (total - rest).detach(), commitment


def cross_entropy(logits, targets):
    return F.cross_entropy(logits.reshape(-1, PHONEMES), targets)


def losses(codec, hearer, teacher, batch, readout_only=False):
    ours, heard, labels, tracts = batch
    with torch.set_grad_enabled(not readout_only):
        semantic, acoustic = codec.encoder(torch.cat([ours, heard]), tracts)
    with torch.no_grad():
        kept = teacher(ours)
    count = len(ours)
    output_voice = F.mse_loss(semantic[:count], kept[0]) + F.mse_loss(acoustic[:count], kept[1])
    semantic, acoustic = semantic[count:], acoustic[count:]
    chosen, rest, commitment = quantise(codec.quantiser, semantic, acoustic)
    targets = phoneme_targets(labels).reshape(-1)
    all_codes = cross_entropy(hearer(chosen, rest), targets)
    first_code = cross_entropy(codec.phonemes(chosen), targets)
    unquantised = cross_entropy(codec.phonemes(semantic), targets)
    total = (ALL_CODES_WEIGHT * all_codes + SEMANTIC_WEIGHT * first_code + UNQUANTISED_WEIGHT * unquantised
             + COMMITMENT_WEIGHT * commitment + OUTPUT_VOICE_WEIGHT * output_voice)
    return total, {"all_codes": all_codes, "first_code": first_code, "unquantised": unquantised,
                   "commitment": commitment, "output_voice": output_voice}


@torch.no_grad()
def evaluate(codec, hearer, start, folder, limit):
    """Accuracy in per cent of 20 ms sub-frames that are not silence: from all codes, from the first, unquantised; and
    how many first codes of the output voice are those of stage 1."""
    result = {}
    for name in ("eval_output", "eval_input", "eval_seen"):
        right, same = [], []
        for _, _, wave, labels in utterances(folder, name, limit):
            semantic, acoustic = codec.encoder(wave)
            chosen, rest, _ = quantise(codec.quantiser, semantic, acoustic)
            targets = phoneme_targets(labels)
            spoken = targets > 0
            right.append(torch.stack([(logits.view(1, -1, SUBFRAMES, PHONEMES).argmax(-1) == targets)[spoken].float()
                                      for logits in (hearer(chosen, rest), codec.phonemes(chosen), codec.phonemes(semantic))]))
            if name == "eval_output":
                book = codec.quantiser.books[0]
                same.append((book.nearest(semantic) == book.nearest(start(wave)[0])).float().flatten())
        result[name] = [round(100 * float(x), 1) for x in torch.cat(right, 1).mean(1)]
        if same:
            result["same_codes"] = round(100 * float(torch.cat(same).mean()), 1)
    return result


@torch.no_grad()
def vector_scale(codec, batches):
    """[2 * VECTOR] that brings both halves of a hearer's input to about unit size, each as a whole."""
    _, heard, _, _ = batches.next()
    chosen, rest, _ = quantise(codec.quantiser, *codec.encoder(heard))
    return torch.cat([torch.full((VECTOR,), 1 / float(chosen.std())), torch.full((VECTOR,), 1 / float(rest.std()))])


class HearingStage(training_loop.Stage):
    def __init__(self, options, codec, hearer, start):
        self.options, self.codec, self.hearer, self.start = options, codec, hearer, start
        self.steps = 0

    def attach(self, rank):
        self.batches = make_batches(self.options, self.options.seed * 10 + rank)

    def losses(self):
        self.steps += 1
        return losses(self.codec, self.hearer, self.start, self.batches.next(), self.steps <= self.options.readout_steps)

    def evaluate(self, last):
        return evaluate(self.codec, self.hearer, self.start, self.options.data, 120 if last else 24)

    def state(self):
        return self.codec.state_dict()


def make_batches(options, seed):
    return Batches(options.data, options.batch, options.output, int(options.seconds * 12.5) * FRAME, seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    training_loop.add_options(parser, "hearing.pt", minutes=30, rate=6e-4, batch=16, seed=2)
    parser.add_argument("--start", required=True, help="checkpoint of stage 1")
    parser.add_argument("--output", type=int, default=3, help="of the crops, in the output voice")
    parser.add_argument("--seconds", type=float, default=2.0, help="a crop")
    parser.add_argument("--readout-steps", type=int, default=0, help="steps at first in which only the read-out learns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    codec = Codec()
    codec.load_state_dict(torch.load(options.start, map_location="cpu"))
    start = copy.deepcopy(codec.encoder).eval()
    hearer = Hearer(vector_scale(codec, make_batches(options, options.seed)))
    # Codebooks and prediction keep their meaning, and the semantic read-out if there is one; the encoder moves.
    fixed = [codec.quantiser, codec.decoder] + ([] if options.readout_steps else [codec.phonemes])
    for part in fixed:
        part.requires_grad_(False)
    learning = list(codec.encoder.parameters()) + list(hearer.parameters())
    learning += list(codec.phonemes.parameters()) if options.readout_steps else []
    training_loop.train(options, learning, HearingStage(options, codec, hearer, start))


if __name__ == "__main__":
    main()
