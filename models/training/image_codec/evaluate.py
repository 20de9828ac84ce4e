"""How good the image codec is: `python3 -m image_codec.evaluate --data DIR --codec image_codec.pt --judge judge_2.pt` prints a
table of held-out pictures, and writes a sheet of them with --sheet FILE.png.

The judge is one that had no part in training the codec: how much of what it sees in a drawing does it still see in the
codec's picture of it?
"""

import argparse
import json

import numpy as np
import torch
from PIL import Image

from image_codec.data import Pictures
from image_codec.judge import Judge, accuracy, distance
from image_codec.model import ImageCodec
from image_codec.train_autoencoder import signal_to_noise

SHEET_ROWS, SHEET_COLUMNS = 6, 10


def sheet(codec, pictures):
    """uint8 picture: rows of originals, each with what the codec makes of it below."""
    rows = []
    for row in range(SHEET_ROWS):
        original = pictures.take(np.arange(row * SHEET_COLUMNS, (row + 1) * SHEET_COLUMNS))
        for images in (original, codec.decode(codec.encode(original))):
            bordered = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1)
            rows.append(np.concatenate(list(bordered.transpose(0, 2, 3, 1)), 1))
    return (np.concatenate(rows) * 255 + 0.5).astype(np.uint8)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--codec", required=True)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--sheet", default="")
    parser.add_argument("--out", default="", help="JSON file")
    options = parser.parse_args()
    codec, judge = ImageCodec().eval(), Judge().eval()
    codec.load_state_dict(torch.load(options.codec, map_location="cpu"))
    judge.load_state_dict(torch.load(options.judge, map_location="cpu"))
    report = {}
    for name in ("held_out", "held_out_clutter"):
        pictures = Pictures(options.data, name)
        chosen = np.arange(len(pictures))
        original = pictures.take(chosen)
        made = codec.decode(codec.encode(original))
        row = {"n": len(chosen), "psnr": round(signal_to_noise(made, original), 2),
               "features": round(float(distance(judge.features(made), judge.features(original))), 4)}
        if name == "held_out":
            labels = pictures.labels(chosen)
            for what, images in (("drawn", original), ("made", made)):
                row[f"named_{what}"], row[f"colour_{what}"] = accuracy(judge, images, *labels)
        report[name] = row
        print(name, json.dumps(row))
    if options.sheet:
        Image.fromarray(sheet(codec, Pictures(options.data, "held_out"))).save(options.sheet)
    if options.out:
        with open(options.out, "w") as out:
            json.dump(report, out, indent=1)


if __name__ == "__main__":
    main()
