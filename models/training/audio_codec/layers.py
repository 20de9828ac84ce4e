"""Causal layers on tensors [batch, time, channels].

Convolutions run as channels-last conv2d of height 1 and up-sampling as a reshape: on CPUs both are several times faster
than Conv1d and transposed convolutions. Padding is zeros in front, so a streaming implementation that keeps the last
inputs of each layer, zero at first, computes the same numbers.
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SAMPLE_RATE = 16000
SLOPE = 0.1


def activate(x):
    return F.leaky_relu(x, SLOPE)


class CausalConv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, dilation=1, gain=1.0):
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.history = (kernel - 1) * dilation - (stride - 1)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, 0, gain / math.sqrt(inputs * kernel))

    def forward(self, x):
        if self.weight.shape[3] == 1:
            return F.linear(x, self.weight[:, :, 0, 0], self.bias)
        if self.history > 0:
            x = F.pad(x, (0, 0, self.history, 0))
        x = x.unsqueeze(1).permute(0, 3, 1, 2)
        y = F.conv2d(x, self.weight, self.bias, stride=(1, self.stride), dilation=(1, self.dilation))
        return y.permute(0, 2, 3, 1).squeeze(1)


class Residual(nn.Module):
    def __init__(self, channels, dilation=1):
        super().__init__()
        self.inner = CausalConv(channels, channels, 3, dilation=dilation, gain=1.4)
        self.outer = CausalConv(channels, channels, 1, gain=0.3)

    def forward(self, x):
        return x + self.outer(activate(self.inner(activate(x))))


class Down(nn.Module):
    """Activation and a convolution of stride 2."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = CausalConv(inputs, outputs, 4, 2)

    def forward(self, x):
        return self.conv(activate(x))


class Up(nn.Module):
    """Activation, a convolution to `factor` times the channels, and a view as `factor` times the frames."""

    def __init__(self, inputs, outputs, factor):
        super().__init__()
        self.conv = CausalConv(inputs, outputs * factor, 2)
        self.factor, self.outputs = factor, outputs

    def forward(self, x):
        y = self.conv(activate(x))
        return y.reshape(y.shape[0], y.shape[1] * self.factor, self.outputs)


class Project(nn.Module):
    """Activation and a linear layer."""

    def __init__(self, inputs, outputs, gain=1.0):
        super().__init__()
        self.conv = CausalConv(inputs, outputs, 1, gain=gain)

    def forward(self, x):
        return self.conv(activate(x))


def residuals(channels, dilations):
    return [Residual(channels, d) for d in dilations]


def to_mel(hz):
    return 2595 * np.log10(1 + hz / 700)


def to_hz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def mel_filters(fft, count, low=20.0, high=8000.0):
    """[fft / 2 + 1, count] triangles equally wide on the mel scale, each of sum 1."""
    edges = to_hz(np.linspace(to_mel(low), to_mel(high), count + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, fft // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    return torch.tensor(filters / np.maximum(filters.sum(0), 1e-8), dtype=torch.float32)


def stretch_tract(mel, factors, low=20.0, high=8000.0):
    """Log-mel rows [B, T, bands] as of vocal tracts so many times as long (factors, numpy [B]): everything in the
    spectrum, consonants too, moves down by the factor, while pitch and tempo stay (Jaitly and Hinton 2013, vocal tract
    length perturbation)."""
    bands = mel.shape[2]
    edges = np.linspace(to_mel(low), to_mel(high), bands + 2)
    wanted = to_mel(to_hz(edges[1:-1])[None] * np.asarray(factors)[:, None])
    place = np.clip((wanted - edges[1]) / (edges[2] - edges[1]), 0, bands - 1)
    below = np.minimum(place.astype(np.int64), bands - 2)
    share = torch.from_numpy((place - below).astype(np.float32))[:, None]
    index = torch.from_numpy(below)[:, None].expand(-1, mel.shape[1], -1)
    return torch.lerp(mel.gather(2, index), mel.gather(2, index + 1), share)


class MelSpectrogram(nn.Module):
    """[B, samples] -> [B, samples / 160, 80]; frame t sees the 512 samples that end with sample 160 (t + 1)."""

    FFT, HOP, MELS = 512, 160, 80

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(self.FFT))
        self.register_buffer("filters", mel_filters(self.FFT, self.MELS))

    def forward(self, wave):
        frames = F.pad(wave, (self.FFT - self.HOP, 0)).unfold(1, self.FFT, self.HOP)
        magnitude = torch.fft.rfft(frames * self.window).abs()
        return (torch.log(magnitude @ self.filters + 1e-3) + 3.5) / 2.5
