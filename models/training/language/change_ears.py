"""Gives a checkpoint other ears, so that training goes on from what it has learned.

    python3 -m language.change_ears --checkpoint RUN/checkpoint.pt --before OLD.pt --after hearing_tokens.pt \\
        --corpus CODEC_DATA --out CHANGED/checkpoint.pt

Both ears hear the same speech. Each new code is given the embedding that makes the frames it occurs in sum to what they
summed to with the old codes: ridge regression, book by book in turn, towards a linear function of the codes' vectors,
which rare codes fall back to. Prints the share of the frames' variance that this does not explain.
"""

import argparse
import os

import numpy as np
import torch

from audio_codec import codec_tokens
from audio_codec.corpus import Corpus
from augment import augment
from language import checkpoint as checkpoints
from language import model as wren

SECONDS = 16  # a crop
ROUNDS = 6
RIDGE = 3.0  # occurrences that the linear function counts for


def heard_by_both(corpus, before, after, count, seed):
    """-> (codes of the old ears [N, K], of the new ones) for `count` crops."""
    rng = np.random.default_rng(seed)
    waves = [augment(corpus.crops(1, SECONDS * 16000, rng)[0][0], rng)[0] for _ in range(count)]
    join = lambda ears: torch.from_numpy(np.concatenate(codec_tokens.load(ears).encode(waves)).astype(np.int64))
    return join(before), join(after)


def fitted(wanted, codes, vectors):
    """wanted [N, width]; codes [N, K]; vectors: per codebook [size, any] -> ([(projection, table)], share unexplained)."""
    count = len(vectors)
    embedded = [torch.zeros(len(v), wanted.shape[1]) for v in vectors]
    projections = [None] * count
    for _ in range(ROUNDS):
        for k, vector in enumerate(vectors):
            rest = wanted - sum(embedded[j][codes[:, j]] for j in range(count) if j != k)
            seen = torch.bincount(codes[:, k], minlength=len(vector)).float()[:, None]
            total = torch.zeros_like(embedded[k]).index_add_(0, codes[:, k], rest)
            inputs = torch.cat([vector, torch.ones(len(vector), 1)], 1)
            weight = seen.sqrt()
            target = total / seen.clamp(min=1)
            solution = torch.linalg.lstsq((inputs * weight).double(), (target * weight).double()).solution.float()
            linear = inputs @ solution
            embedded[k] = linear + (total - seen * linear) / (seen + RIDGE)
            projections[k] = solution[:-1]
    error = wanted - sum(embedded[k][codes[:, k]] for k in range(count))
    unexplained = float(error.square().mean() / (wanted - wanted.mean(0)).square().mean())
    return [(p, e - v @ p) for p, e, v in zip(projections, embedded, vectors)], unexplained


@torch.no_grad()
def changed(model, before, after, vectors):
    """A model like this one whose heard channel reads `after` (codes [N, K], `vectors` of their codebooks) as this one
    reads `before` -> (model, share unexplained)."""
    count = len(model.config.codebook_sizes)
    result = wren.Wren(model.config, vectors, [getattr(model.spoken, f"vectors_{k}") for k in range(count)])
    kept = {n: t for n, t in model.state_dict().items() if not n.startswith("heard.")}
    result.load_state_dict(kept, strict=False)
    tables = result.heard
    found, unexplained = fitted(model.heard(before), after, [getattr(tables, f"vectors_{k}") for k in range(count)])
    for k, (projection, table) in enumerate(found):
        tables.projections[k].copy_(projection.t())
        tables.tables[k].copy_(table)
    tables.bias.zero_()
    return result, unexplained


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--before", required=True, help="frozen checkpoint of the ears it was trained with")
    parser.add_argument("--after", required=True, help="that of the new ears")
    parser.add_argument("--corpus", required=True, help="folder of the codec's data")
    parser.add_argument("--crops", type=int, default=300)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    content = torch.load(options.checkpoint, map_location="cpu")
    model, _ = checkpoints.load_model(options.checkpoint)
    before, after = heard_by_both(Corpus(options.corpus, "input"), options.before, options.after, options.crops, options.seed)
    vectors = checkpoints.codebook_vectors(options.after, model.config.codebook_sizes)
    result, unexplained = changed(model, before, after, vectors)
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    torch.save(dict(content, weights=result.state_dict()), options.out)
    print(f"{unexplained:.1%} of the variance of what is heard is not explained")


if __name__ == "__main__":
    main()
