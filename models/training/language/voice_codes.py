"""Spoken codes to WAV files, in a process of its own (the codec's modules have the same short names as ours).

    python3 voice_codes.py --encoder encoder.pt --decoder decoder.pt --codes codes.npz --out FOLDER

codes.npz: one integer array [T, K] a wave, named w0, w1, ... -> FOLDER/0.wav, 1.wav, ... 16 kHz.
"""

import argparse
import os
import sys
import wave

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "audio_codec"))

import numpy as np
import torch
from model import Codec
from source_filter import SourceFilterDecoder

_PADDING = 3200  # samples of faint noise around each wave: the recogniser wants to see the silence


def main():
    parser = argparse.ArgumentParser(description="Turns codes into WAV files.")
    for name in ("encoder", "decoder", "codes", "out"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, decoder = Codec().eval(), SourceFilterDecoder().eval()
    codec.load_state_dict(torch.load(options.encoder, map_location="cpu"))
    decoder.load_state_dict(torch.load(options.decoder, map_location="cpu"))
    os.makedirs(options.out, exist_ok=True)
    noise = np.random.default_rng(0)
    with np.load(options.codes) as codes, torch.no_grad():
        for index in range(len(codes.files)):
            frames = torch.from_numpy(codes[f"w{index}"].astype(np.int64))[None]
            spoken = decoder(codec.quantiser.decode(frames))[0][0].numpy()
            quiet = [noise.standard_normal(_PADDING).astype(np.float32) * 2e-4 for _ in range(2)]
            samples = np.concatenate([quiet[0], spoken, quiet[1]])
            with wave.open(os.path.join(options.out, f"{index}.wav"), "wb") as out:
                out.setparams((1, 2, 16000, len(samples), "NONE", ""))
                out.writeframes(np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
