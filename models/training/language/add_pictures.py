"""Makes room for pictures in a checkpoint whose vocabulary is text alone, so that training goes on from what it knows.

    python3 -m language.add_pictures --checkpoint RUN/checkpoint.pt --image-codec image_codec.pt --out GROWN/checkpoint.pt

New rows of the symbols start at random, those of image codes as a random projection of the codec's vectors: codes that
look alike start alike. The optimiser starts anew.
"""

import argparse
import dataclasses
import os

import torch

from language import checkpoint as checkpoints, model as wren, symbols

_SCALE = 0.9  # root mean square of a symbol's embedding, as Wren starts


@torch.no_grad()
def grown(model, vectors, seed=0):
    """vectors: [symbols.IMAGE_CODES, any] of the image codec -> a model with the whole vocabulary."""
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
    result.symbol[symbols.FIRST_IMAGE_CODE :] = like * (_SCALE / like.square().mean().sqrt())
    for name, rows in by_symbol.items():
        rows[: len(old[name])] = old[name]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--image-codec", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    content = torch.load(options.checkpoint, map_location="cpu")
    model, _ = checkpoints.load_model(options.checkpoint)
    vectors = torch.load(options.image_codec, map_location="cpu")["book.vectors"]
    result = grown(model, vectors)
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    content = dict(content, config=vars(result.config), weights=result.state_dict(), optimiser=None)
    torch.save(content, options.out)


if __name__ == "__main__":
    main()
