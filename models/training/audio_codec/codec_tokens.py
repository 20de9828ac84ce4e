"""The frozen encoder as a function, for whoever trains on its tokens.

    python3 -m audio_codec.codec_tokens --encoder encoder.pt --out codec_tokens.pt
    python3 -m audio_codec.codec_tokens --encoder hearing.pt --out hearing_tokens.pt

freezes the codec of stage 1 or the ears of stage 2: weights are rounded to float16, as they are exported, so that
training, tokens and the runtime agree. Both files are states for model.Codec.

    tokens = load("codec_tokens.pt")
    tokens.encode([float32 wave at 16 kHz, ...])   -> [int16 [frames, 4], ...], the last frame filled up with silence
"""

import argparse
import os


import numpy as np
import torch

from audio_codec.model import FRAME, Codec

BATCH_SAMPLES = 16000 * 60


def rounded(state):
    """The state with all weights and codebooks as float16 holds them."""
    return {name: value.half().float() if value.is_floating_point() else value for name, value in state.items()}


class CodecTokens:
    def __init__(self, codec):
        self.codec = codec.eval()

    @torch.no_grad()
    def encode(self, waves, tracts=None):
        """tracts: for training data, the length of the vocal tract to imitate for each wave."""
        order = sorted(range(len(waves)), key=lambda i: len(waves[i]))
        codes, batch = [None] * len(waves), []
        for position, index in enumerate(order):
            batch.append(index)
            following = order[position + 1] if position + 1 < len(order) else None
            if following is None or (len(batch) + 1) * len(waves[following]) > BATCH_SAMPLES:
                frames = -(-len(waves[batch[-1]]) // FRAME)
                padded = np.zeros((len(batch), frames * FRAME), np.float32)
                for row, i in enumerate(batch):
                    padded[row, : len(waves[i])] = waves[i]
                mine = None if tracts is None else np.array([tracts[i] for i in batch])
                found = self.codec.encode(torch.from_numpy(padded), mine).numpy().astype(np.int16)
                for row, i in enumerate(batch):
                    codes[i] = found[row, : -(-len(waves[i]) // FRAME)]
                batch = []
        return codes


def load(path):
    codec = Codec()
    codec.load_state_dict(torch.load(path, map_location="cpu"))
    return CodecTokens(codec)


def main():
    parser = argparse.ArgumentParser(description="Freezes a checkpoint of stage 1 or 2.")
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    parser.add_argument("--encoder", default=folder + "/encoder.pt")
    parser.add_argument("--out", default=folder + "/codec_tokens.pt")
    options = parser.parse_args()
    state = rounded(torch.load(options.encoder, map_location="cpu"))
    torch.save(state, options.out + ".part")
    os.replace(options.out + ".part", options.out)


if __name__ == "__main__":
    main()
