"""How good the image codec is, as it is exported.

    python3 -m image_codec.evaluate --data DIR --codec image_codec.pt      prints figures of held-out pictures, and
                                                                           writes a sheet of them with --sheet FILE.png

    psnr    mean over pictures of the peak signal-to-noise ratio, dB
    ssim    structural similarity (Wang et al. 2004): 11 x 11 Gaussian windows, mean over places and colours; 1 is equal
    named   drawings of one thing each, all things on all colours in turn, that are still nearest to it (naming.py), %

--judge adds what a judge (train_judge.py) names in held-out scenes before and after the codec.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import scenes
from image_codec import naming
from image_codec.data import Pictures
from image_codec.export import load_codec
from image_codec.judge import Judge, accuracy
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


def similarity(made, picture, window=11, sigma=1.5):
    """Structural similarity of pictures [N, 3, H, W] in [0, 1]."""
    at = torch.arange(window) - window // 2
    bell = torch.exp(-at.float().square() / (2 * sigma**2))
    kernel = (bell[:, None] * bell / bell.sum() ** 2)[None, None]
    mean = lambda x: F.conv2d(x.flatten(0, 1)[:, None], kernel)
    a, b = mean(made), mean(picture)
    within = lambda x, y, mx, my: mean(x * y) - mx * my
    one, two = 0.01**2, 0.03**2
    alike = (2 * a * b + one) * (2 * within(made, picture, a, b) + two)
    return float((alike / ((a * a + b * b + one) * (within(made, made, a, a) + within(picture, picture, b, b) + two))).mean())


def named(codec, count=2 * len(naming.NAMES)):
    """-> % of single drawings that still show their thing."""
    colours, namer = list(scenes.COLOURS), naming.Namer()
    wanted = [scenes.arranged([naming.NAMES[n % len(naming.NAMES)]], colours[n % len(colours)]) for n in range(count)]
    made = codec.decode(codec.encode(naming.tensor([scenes.draw(scene) for scene in wanted])))
    return round(100 * sum(namer.right(p, scene) for p, scene in zip(made, wanted)) / count, 1)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--codec", required=True)
    parser.add_argument("--judge", help="checkpoint")
    parser.add_argument("--sheet", default="")
    parser.add_argument("--out", default="", help="JSON file")
    options = parser.parse_args()
    codec, judge = load_codec(options.codec), Judge().eval()
    if options.judge:
        judge.load_state_dict(torch.load(options.judge, map_location="cpu"))
    report = {"named": named(codec)}
    print("named", report["named"])
    for name in ("held_out", "held_out_clutter"):
        pictures = Pictures(options.data, name)
        chosen = np.arange(len(pictures))
        original = pictures.take(chosen)
        made = codec.decode(codec.encode(original))
        row = {"n": len(chosen), "psnr": round(signal_to_noise(made, original), 2),
               "ssim": round(similarity(made, original), 3)}
        if name == "held_out" and options.judge:
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
