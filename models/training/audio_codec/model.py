"""Wren's audio codec: encoder and codebooks (stage 1) with a cheap inverse-STFT decoder that serves training only.

12.5 frames a second. Codebook 0 is semantic: its vector must predict the phonemes of the frame, 40 ms late, so that a
causal encoder has heard a little of what follows. The acoustic codebooks quantise in turn what a linear prediction from
the semantic vector leaves over.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from codebook import Codebook
from audio_codec.layers import CausalConv, Down, MelSpectrogram, Project, Up, residuals, stretch_tract

FRAME = 1280
WIDTH, FAST_WIDTH, VECTOR = 256, 192, 64
SIZES = (1024, 512, 512, 512)
SUBFRAMES = 4  # phoneme labels a frame, 20 ms each
PHONEMES = 40
LABEL_DELAY = 4  # in labels of 10 ms


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.mel = MelSpectrogram()
        d, f = WIDTH, FAST_WIDTH
        self.trunk = nn.Sequential(
            CausalConv(MelSpectrogram.MELS, f, 3), *residuals(f, (1,)),
            Down(f, d), *residuals(d, (1, 2)),
            Down(d, d), *residuals(d, (1, 2)),
            Down(d, d),
        )
        self.semantic = nn.Sequential(*residuals(d, (1, 2, 4)), Project(d, VECTOR))
        self.acoustic = nn.Sequential(*residuals(d, (1,)), Project(d, VECTOR))

    def forward(self, wave, tracts=None):
        """tracts: numpy [B], lengths of vocal tracts to imitate (layers.stretch_tract); training only."""
        mel = self.mel(wave)
        h = self.trunk(mel if tracts is None else stretch_tract(mel, tracts))
        return self.semantic(h), self.acoustic(h)


class Quantiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.books = nn.ModuleList([Codebook(size, VECTOR) for size in SIZES])
        self.predict = nn.Linear(VECTOR, VECTOR)

    def encode(self, semantic, acoustic):
        """Codes [B, T, K]."""
        codes = [self.books[0].nearest(semantic)]
        rest = acoustic - self.predict(self.books[0].vectors[codes[0]])
        for book in self.books[1:]:
            codes.append(book.nearest(rest))
            rest = rest - book.vectors[codes[-1]]
        return torch.stack(codes, -1)

    def decode(self, codes, count=None):
        """Sum of the vectors of the first `count` codebooks, the decoder's input [B, T, 64]."""
        total = self.predict(self.books[0].vectors[codes[..., 0]])
        for k in range(1, count or len(SIZES)):
            total = total + self.books[k].vectors[codes[..., k]]
        return total

    def forward(self, semantic, acoustic, keep):
        """(semantic vector, decoder input, commitment loss, [(codebook input, codes)]); keep [B]: codebooks used."""
        codes = self.books[0].nearest(semantic)
        quantised = self.books[0].vectors[codes]
        inputs = [(semantic.detach(), codes)]
        commitment = F.mse_loss(semantic, quantised)
        semantic = semantic + (quantised - semantic).detach()
        prediction = self.predict(semantic)
        commitment = commitment + F.mse_loss(prediction, acoustic.detach())
        total, rest = prediction.detach(), acoustic - prediction.detach()
        for k, book in enumerate(self.books[1:], start=1):
            used = (keep > k).float().view(-1, 1, 1)
            codes = book.nearest(rest.detach())
            inputs.append((rest.detach(), codes))
            vectors = book.vectors[codes]
            commitment = commitment + 0.5 * (((rest - vectors) ** 2) * used).mean()
            total, rest = total + vectors * used, rest - vectors
        # One straight-through estimator around the whole stack: the encoder's gradient counts once, not once a stage.
        return semantic, acoustic + (total - acoustic).detach(), commitment, inputs


class StftDecoder(nn.Module):
    """Magnitude and phase of 40 ms windows; enough to train an encoder against, not what Wren speaks with."""

    FFT, HOP = 640, 160

    def __init__(self):
        super().__init__()
        d, f = WIDTH, FAST_WIDTH
        self.net = nn.Sequential(
            CausalConv(VECTOR, d, 3), *residuals(d, (1, 2)), Up(d, d, 2), *residuals(d, (1, 2)),
            Up(d, f, 4), *residuals(f, (1, 2, 4)), Project(f, self.FFT + 2, gain=0.3),
        )
        self.register_buffer("window", torch.hann_window(self.FFT))

    def forward(self, vectors):
        y = self.net(vectors)
        bins, overlap = self.FFT // 2 + 1, self.FFT // self.HOP
        magnitude, phase = torch.exp(y[..., :bins].clamp(max=6)), y[..., bins:]
        spectrum = torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
        frames = torch.fft.irfft(spectrum, self.FFT) * self.window / 1.5
        frames = frames.view(*y.shape[:2], overlap, self.HOP)
        return sum(F.pad(frames[:, :, j], (0, 0, j, 0))[:, : y.shape[1]] for j in range(overlap)).flatten(1)


class Codec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.quantiser = Quantiser()
        self.decoder = StftDecoder()
        self.phonemes = nn.Linear(VECTOR, SUBFRAMES * PHONEMES)

    @torch.no_grad()
    def encode(self, wave, tracts=None):
        return self.quantiser.encode(*self.encoder(wave, tracts))


def phoneme_targets(labels):
    """[B, labels at 100 Hz] -> [B, T, SUBFRAMES], delayed by LABEL_DELAY."""
    late = F.pad(labels, (LABEL_DELAY, 0))[:, : labels.shape[1]]
    frames = labels.shape[1] // 8
    return late[:, : frames * 8].view(-1, frames, 8)[:, :, 1::2]
