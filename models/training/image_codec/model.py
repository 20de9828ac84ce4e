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
PATCH = 4  # pixels on a side that enter as channels: convolutions at full size would take most of the time


class ImageCodec(nn.Module):
    side, grid, patch = scenes.SIDE, GRID, PATCH

    def __init__(self, middle=96, coarse=192):
        """middle, coarse: channels at 16 x 16 and at 8 x 8."""
        super().__init__()
        self.encoder = nn.Sequential(
            Conv(3 * PATCH**2, middle, active=False), *residuals(middle, 1),
            Conv(middle, coarse, 4, 2), *residuals(coarse, 2),
            Conv(coarse, VECTOR, 1),
        )
        self.book = Codebook(CODES, VECTOR)
        self.decoder = nn.Sequential(
            Conv(VECTOR, coarse, active=False), *residuals(coarse, 2),
            Conv(coarse, middle, shuffle=2), *residuals(middle, 2),
            Conv(middle, 32, shuffle=2), *residuals(32, 1),
            Conv(32, 16, shuffle=2), *residuals(16, 1), Conv(16, 3, gain=0.5),
        )

    def latents(self, pictures):
        """[B, 3, SIDE, SIDE] in [0, 1] -> [B, GRID, GRID, VECTOR]."""
        x = F.pixel_unshuffle(pictures * 2 - 1, self.patch)
        return self.encoder(x).permute(0, 2, 3, 1)

    def paint(self, vectors):
        """[B, GRID, GRID, VECTOR] -> [B, 3, SIDE, SIDE], nominally in [0, 1], not clipped."""
        return (self.decoder(vectors.permute(0, 3, 1, 2)) + 1) / 2

    def quantise(self, pictures):
        """-> (vectors of the codes, whose gradient goes to the latents; commitment loss; (codebook input, codes))."""
        latents = self.latents(pictures)
        codes = self.book.nearest(latents)
        vectors = self.book.vectors[codes]
        commitment = F.mse_loss(latents, vectors)
        return latents + (vectors - latents).detach(), commitment, (latents.detach(), codes)

    @torch.no_grad()
    def encode(self, pictures):
        """-> codes [B, GRID * GRID], row by row."""
        return self.book.nearest(self.latents(pictures)).flatten(1)

    @torch.no_grad()
    def decode(self, codes):
        """codes [B, GRID * GRID] -> [B, 3, SIDE, SIDE] in [0, 1]."""
        return self.paint(self.book.vectors[codes.view(-1, self.grid, self.grid)]).clamp(0, 1)


assert scenes.SIDE % (GRID * PATCH) == 0
