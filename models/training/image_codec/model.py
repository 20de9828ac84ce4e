"""A convolutional VQ autoencoder (van den Oord et al. 2017; Esser et al. 2021 without the discriminator): 64 x 64 pixels to
a grid of 8 x 8 codes, row by row."""

import torch
import torch.nn as nn
import torch.nn.functional as F

import scenes
from codebook import Codebook
from image_codec.layers import Conv, residuals

GRID = 8
CODES, VECTOR = 1024, 32
PATCH = 2  # pixels on a side that enter as channels: convolutions at full size would take most of the time


class ImageCodec(nn.Module):
    def __init__(self, widths=(64, 128, 192)):
        super().__init__()
        first, second, third = widths
        self.encoder = nn.Sequential(
            Conv(3 * PATCH**2, first, active=False), *residuals(first, 1),
            Conv(first, second, 4, 2), *residuals(second, 2),
            Conv(second, third, 4, 2), *residuals(third, 2),
            Conv(third, VECTOR, 1),
        )
        self.book = Codebook(CODES, VECTOR)
        self.decoder = nn.Sequential(
            Conv(VECTOR, third, active=False), *residuals(third, 2),
            Conv(third, second, shuffle=2), *residuals(second, 2),
            Conv(second, first, shuffle=2), *residuals(first, 2),
            Conv(first, 24, shuffle=PATCH), *residuals(24, 1), Conv(24, 3, gain=0.5),
        )

    def latents(self, pictures):
        """[B, 3, SIDE, SIDE] in [0, 1] -> [B, GRID, GRID, VECTOR]."""
        x = F.pixel_unshuffle(pictures * 2 - 1, PATCH)
        return self.encoder(x).permute(0, 2, 3, 1)

    def paint(self, vectors):
        """[B, GRID, GRID, VECTOR] -> [B, 3, SIDE, SIDE], nominally in [0, 1], not clipped."""
        return (self.decoder(vectors.permute(0, 3, 1, 2)) + 1) / 2

    def forward(self, pictures):
        """-> (pictures again, commitment loss, (codebook input, codes))."""
        latents = self.latents(pictures)
        codes = self.book.nearest(latents)
        vectors = self.book.vectors[codes]
        commitment = F.mse_loss(latents, vectors)
        return self.paint(latents + (vectors - latents).detach()), commitment, (latents.detach(), codes)

    @torch.no_grad()
    def encode(self, pictures):
        """-> codes [B, GRID * GRID], row by row."""
        return self.book.nearest(self.latents(pictures)).flatten(1)

    @torch.no_grad()
    def decode(self, codes):
        """codes [B, GRID * GRID] -> [B, 3, SIDE, SIDE] in [0, 1]."""
        return self.paint(self.book.vectors[codes.view(-1, GRID, GRID)]).clamp(0, 1)


assert scenes.SIDE % (GRID * PATCH) == 0
