"""What the model says, beside what was recorded: examples for the codec's decoder.

    python3 -m language.spoken_codes --checkpoint RUN/checkpoint.pt --data DATA --out spoken_codes.npz

Of the four codes of a frame the first says which sounds, and the model knows it; the others are details that it can
only guess, and its guesses are not what recordings have. A decoder that has heard nothing but recordings takes them at
their word. So for each text the model is given the recorded history and first codes, and its own choice of the others
is written down with the recorded wave, which the decoder is then to make of them (train_decoder.py --spoken).

    samples int16, codes int16 [T, K], bounds: utterance i is codes[bounds[i]:bounds[i + 1]] and so many whole frames
"""

import argparse
import os
import random

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

from language import checkpoint as checkpoints, dataset, sequences, tokenizer as tokenizers

BATCH = 16


@torch.no_grad()
def own_codes(model, tokenizer, texts, table):
    """-> for each text [T, K]: recorded first codes, the model's choice of the others."""
    sizes = model.config.codebook_sizes
    found = []
    for text in texts:
        builder = sequences.SequenceBuilder(sizes)
        builder.typed_turn(tokenizer.encode("say " + text))
        builder.spoken_answer(tokenizer.encode(text), table[text].codes.astype(np.int64).tolist())
        found.append(builder.build())
    batch = sequences.pack(found, sizes[0])
    inside = batch.depth[:, 0] != sizes[0]  # not the end of the audio
    h = model.backbone(model.embed(batch), batch.packing).index_select(0, batch.depth_rows[inside])
    codes = batch.depth[inside].clone()
    for k in range(1, len(sizes)):
        codes[:, k] = (model.depth(h, codes)[:, k] @ model.depth_heads[k].t()).argmax(-1)
    return torch.split(codes, [len(table[text].codes) for text in texts])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, _ = checkpoints.load_model(options.checkpoint)
    tokenizer, table = tokenizers.load(), dataset.load_answers(options.data)
    texts = random.Random(options.seed).sample(sorted(table), min(options.texts, len(table)))
    codes, samples = [], []
    for begin in range(0, len(texts), BATCH):
        some = texts[begin : begin + BATCH]
        codes += [c.numpy().astype(np.int16) for c in own_codes(model, tokenizer, some, table)]
        samples += [dataset.speak_answer(text)[0] for text in some]
    assert all(len(c) * dataset.FRAME == len(s) for c, s in zip(codes, samples))
    np.savez(options.out, codes=np.concatenate(codes), samples=np.concatenate(samples),
             bounds=np.cumsum([0] + [len(c) for c in codes]))
    print(f"{len(texts)} texts, {sum(map(len, codes)) * sequences.FRAME_SECONDS / 60:.0f} minutes")


if __name__ == "__main__":
    main()
