"""Writes the runtime's files: image_codec.safetensors, its sections of config.json, and golden vectors.

    python3 -m image_codec.export --codec image_codec.pt --data DIR [--model ../wren] [--section image_codec.json]

Weights are bfloat16. The golden vectors, held-out pictures with their codes and what is painted from those, are computed
from the rounded weights in float32; so must be whatever a language model learns from (load_codec).
"""

import argparse
import json
import os

import torch

from safetensors_file import round_to_bfloat16, write_safetensors
from image_codec.data import Pictures
from image_codec.layers import SLOPE, Residual
from image_codec.model import ImageCodec

RECORDED, CANDIDATES = 4, 64


def rounded(codec):
    """The codec, its weights as exported."""
    codec.load_state_dict({name: round_to_bfloat16(tensor).float() for name, tensor in codec.state_dict().items()})
    return codec.eval()


def load_codec(path):
    codec = ImageCodec()
    codec.load_state_dict(torch.load(path, map_location="cpu"))
    return rounded(codec)


def _describe(layer):
    if isinstance(layer, Residual):
        return {"kind": "residual", "channels": layer.inner.conv.out_channels}
    conv = layer.conv
    return {"kind": "conv", "inputs": conv.in_channels, "outputs": conv.out_channels // layer.shuffle**2,
            "kernel": conv.kernel_size[0], "stride": conv.stride[0], "activate": int(layer.active),
            "shuffle": layer.shuffle}


def collect(codec):
    """-> (tensors, what belongs to config.json: the codec's part of "image", and "image_codec")."""
    tensors = {}
    for part in ("encoder", "decoder"):
        for name, tensor in getattr(codec, part).state_dict().items():
            tensors[f"{part}.{name}"] = round_to_bfloat16(tensor)
    tensors["codebook"] = round_to_bfloat16(codec.book.vectors)
    section = {
        "image": {"side": codec.side, "grid": codec.grid, "codebook_size": codec.book.size},
        "image_codec": {"type": "vq", "vector_size": codec.book.width, "patch": codec.patch, "slope": SLOPE,
                        "encoder": [_describe(layer) for layer in codec.encoder],
                        "decoder": [_describe(layer) for layer in codec.decoder]},
    }
    return tensors, section


@torch.no_grad()
def nearest_margins(codec, pictures):
    """[B, 3, side, side] -> [B]: the smallest lead of a chosen code over the next best, relative to its distance: near 0,
    rounding may decide."""
    latents = codec.latents(pictures)
    distance = torch.cdist(latents.reshape(len(pictures), -1, codec.book.width), codec.book.vectors).square()
    two = distance.topk(2, largest=False).values
    return ((two[..., 1] - two[..., 0]) / two[..., 1].clamp(min=1e-12)).amin(1)


def _bytes(pictures):
    """[B, 3, side, side] in [0, 1] -> uint8 [B, side, side, 3]."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def golden(codec, pictures, count=RECORDED):
    """Of [B, 3, side, side] whole bytes / 255 those whose codes are the least ambiguous."""
    margins = nearest_margins(codec, pictures)
    chosen = margins.argsort(descending=True)[:count].sort().values
    print(json.dumps({"golden": chosen.tolist(), "margin": round(float(margins[chosen].min()), 5)}))
    codes = codec.encode(pictures[chosen])
    return {"pictures": _bytes(pictures[chosen]), "codes": codes.to(torch.int32), "made": _bytes(codec.decode(codes))}


def write(codec, pictures, folder, section_path, golden_path):
    """`codec` has been rounded."""
    tensors, section = collect(codec)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "image_codec.safetensors")
    write_safetensors(path + ".part", tensors, {"format": "pt"})
    os.replace(path + ".part", path)  # a server may have mapped the old one
    if section_path:
        with open(section_path, "w") as out:
            json.dump(section, out, indent=1)
            out.write("\n")
    write_safetensors(golden_path + ".safetensors", golden(codec, pictures))
    # Only what the codec needs of config.json: its tests do not depend on the language model.
    with open(golden_path + ".json", "w") as out:
        json.dump(section, out, separators=(",", ":"))
        out.write("\n")
    return section


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--codec", required=True)
    parser.add_argument("--data", required=True, help="folder of image_codec.data")
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"))
    parser.add_argument("--section", default="image_codec.json")
    parser.add_argument("--golden", default=os.path.join(here, "..", "..", "..", "tests", "golden", "image_codec"),
                        help="path of the golden files without .json and .safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    held_out = Pictures(options.data, "held_out")
    pictures = held_out.take(list(range(min(CANDIDATES, len(held_out)))))
    write(load_codec(options.codec), pictures, options.model, options.section, options.golden)


if __name__ == "__main__":
    main()
