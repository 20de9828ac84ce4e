"""Speaks codes through the codec's decoder and has pocketsphinx listen.

A process of its own, because the codec's modules have the same short names as ours ("model"); evaluate.py starts it:

    python3 listen.py --codec codec_tokens.pt --decoder decoder.pt --work FOLDER

FOLDER/codes.npz: one integer array [T, K] a wave, named w0, w1, ...; FOLDER/heard.jsgf: what may be said
-> FOLDER/heard.json: list of what was heard.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "audio_codec"))

import numpy as np
import recogniser
import torch
from model import Codec
from source_filter import SourceFilterDecoder


def main():
    parser = argparse.ArgumentParser(description="Listens to codes.")
    for name in ("codec", "decoder", "work"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, decoder = Codec().eval(), SourceFilterDecoder().eval()
    codec.load_state_dict(torch.load(options.codec, map_location="cpu"))
    decoder.load_state_dict(torch.load(options.decoder, map_location="cpu"))
    with np.load(os.path.join(options.work, "codes.npz")) as codes, torch.no_grad():
        frames = [torch.from_numpy(codes[f"w{i}"].astype(np.int64))[None] for i in range(len(codes.files))]
        waves = [decoder(codec.quantiser.decode(f))[0][0].numpy() for f in frames]
    with open(os.path.join(options.work, "heard.jsgf")) as source:
        heard = recogniser.recognise(waves, source.read())
    with open(os.path.join(options.work, "heard.json"), "w") as out:
        json.dump(heard, out)


if __name__ == "__main__":
    main()
