"""Makes room for pictures in a checkpoint whose vocabulary is text alone, so that training goes on from what it knows.

    python3 -m language.add_pictures --checkpoint RUN/checkpoint.pt --image-codec image_codec.pt --pictures PICTURES \\
        --out GROWN/checkpoint.pt

New rows of the symbols start at random, those of image codes where the codec's vector and the things that the code was a
part of, in the pictures of picture_shards.py, put them: codes that look alike or mean the same start alike. The optimiser
starts anew.
"""

import argparse
import dataclasses
import glob
import os

import torch

from language import checkpoint as checkpoints, lessons, model as wren, picture_shards, symbols

_SCALE = 0.9  # root mean square of a symbol's embedding, as Wren starts
_HEAD_SCALE = 0.3  # likewise of a row of the head, times the root of the width
_PRIOR = 4.0  # occurrences of a code that the average of all codes counts for


def meaning(conversations):
    """-> [symbols.IMAGE_CODES, things]: the square roots of how often a code was a part of each thing, against what is to be
    expected of any code."""
    counts = torch.zeros(symbols.IMAGE_CODES, lessons.THINGS + 1)
    for turn in (turn for turns in conversations for turn in turns):
        pictures = list(zip(turn.get("shown", ()), turn["shown_things"] if "shown" in turn else ()))
        pictures += [(turn["drawn"], turn["drawn_things"])] if "drawn" in turn else []
        for codes, things in pictures:
            counts.index_put_((torch.tensor(codes), torch.tensor(things)), torch.ones(len(codes)), accumulate=True)
    everything = counts.sum(0) / counts.sum()
    share = (counts + _PRIOR * everything) / (counts.sum(1, keepdim=True) + _PRIOR)
    return share.sqrt() - everything.sqrt()


@torch.no_grad()
def grown(model, vectors, seed=0):
    """vectors: [symbols.IMAGE_CODES, any] that tell image codes apart -> a model with the whole vocabulary."""
    count = len(model.config.codebook_sizes)
    heard, spoken = ([getattr(getattr(model, channel), f"vectors_{k}") for k in range(count)] for channel in ("heard", "spoken"))
    result = wren.Wren(dataclasses.replace(model.config, vocab_size=symbols.VOCABULARY), heard, spoken, seed)
    old = model.state_dict()
    by_symbol = {"symbol": result.symbol, "head": result.head, "lessons.place": result.lessons.place}
    kept = {name: tensor for name, tensor in old.items() if name not in by_symbol}
    result.load_state_dict(kept, strict=False)
    generator = torch.Generator().manual_seed(seed)
    centred = vectors - vectors.mean(0)
    like = centred @ torch.randn(vectors.shape[1], model.config.width, generator=generator)
    like /= like.square().mean().sqrt()
    result.symbol[symbols.FIRST_IMAGE_CODE :] = _SCALE * like
    result.head[symbols.FIRST_IMAGE_CODE :] = _HEAD_SCALE * model.config.width**-0.5 * like
    for name, rows in by_symbol.items():
        rows[: len(old[name])] = old[name]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--image-codec", required=True)
    parser.add_argument("--pictures", required=True, help="folder of picture_shards.py")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    content = torch.load(options.checkpoint, map_location="cpu")
    model, _ = checkpoints.load_model(options.checkpoint)
    paths = sorted(glob.glob(os.path.join(options.pictures, "pictures_*.npz")))
    things = meaning(turns for path in paths for turns in picture_shards.load(path))
    looks = torch.load(options.image_codec, map_location="cpu")["book.vectors"]
    even = lambda x: (x - x.mean(0)) / (x - x.mean(0)).square().sum(1).mean().sqrt()
    result = grown(model, torch.cat([even(looks), even(things)], 1))
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    content = dict(content, config=vars(result.config), weights=result.state_dict(), optimiser=None)
    torch.save(content, options.out)


if __name__ == "__main__":
    main()
