"""A tiny random image codec, so that the runtime can be tested without Wren's weights:
`python3 -m image_codec.tiny_codec` writes it into tests/golden/tiny_model, and tests/golden/tiny_image_codec.*, what it does
with a few random pictures.

Its sizes are all different from one another and from Wren's on purpose: a runtime that confuses two of them, or hard-codes
Wren's, fails.
"""

import os

import torch
import torch.nn as nn
import torch.nn.functional as F

from codebook import Codebook
from image_codec import export
from image_codec.layers import Conv, residuals
from image_codec.model import ImageCodec

_GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tests", "golden")
CODES, VECTOR = 12, 5


class TinyImageCodec(ImageCodec):
    side, grid, patch = 24, 3, 4

    def __init__(self):
        nn.Module.__init__(self)
        self.encoder = nn.Sequential(Conv(3 * self.patch**2, 8, 1, active=False), *residuals(8, 1), Conv(8, 12, 4, 2),
                                     Conv(12, VECTOR, 1))
        self.book = Codebook(CODES, VECTOR)
        self.decoder = nn.Sequential(Conv(VECTOR, 12, active=False), Conv(12, 8, shuffle=2), Conv(8, 6, shuffle=2),
                                     *residuals(6, 1), Conv(6, 3, shuffle=2, gain=0.7))


def random_pictures(count, generator):
    """[count, 3, side, side], whole bytes / 255: random colours at the corners of a few squares, smooth between."""
    corners = torch.rand(count, 3, 4, 4, generator=generator)
    pictures = F.interpolate(corners, size=TinyImageCodec.side, mode="bilinear", align_corners=True)
    return (pictures * 255).round() / 255


@torch.no_grad()
def make_codec(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        codec = TinyImageCodec()
        for name, parameter in codec.named_parameters():
            if name.endswith("bias"):  # they begin at zero, which would test nothing
                nn.init.normal_(parameter, 0, 0.2)
    generator = torch.Generator().manual_seed(seed)
    codec.book.start(codec.latents(random_pictures(16, generator)), generator)
    return export.rounded(codec)


def write_tiny_codec(folder, golden_path, seed=7):
    """-> the sections of config.json."""
    codec = make_codec(seed)
    pictures = random_pictures(24, torch.Generator().manual_seed(seed + 1))
    return export.write(codec, pictures, folder, None, golden_path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_tiny_codec(os.path.join(_GOLDEN, "tiny_model"), os.path.join(_GOLDEN, "tiny_image_codec"))
