"""Layers on pictures [batch, channels, rows, columns].

No normalisation: residual branches start small instead, and the runtime needs nothing but convolutions.
"""

import math

import torch.nn as nn
import torch.nn.functional as F

SLOPE = 0.1


def activate(x):
    return F.leaky_relu(x, SLOPE)


class Conv(nn.Module):
    """Activation (if `active`), a convolution, and a shuffle of channels to `shuffle` times the rows and columns. Kernel
    4 goes with stride 2 and halves them."""

    def __init__(self, inputs, outputs, kernel=3, stride=1, active=True, shuffle=1, gain=1.0):
        super().__init__()
        self.active, self.stride, self.shuffle = active, stride, shuffle
        self.conv = nn.Conv2d(inputs, outputs * shuffle**2, kernel, stride, (kernel - stride + 1) // 2)
        nn.init.normal_(self.conv.weight, 0, gain / math.sqrt(inputs * kernel**2))
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        y = self.conv(activate(x) if self.active else x)
        return F.pixel_shuffle(y, self.shuffle) if self.shuffle > 1 else y


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = Conv(channels, channels, gain=1.4)
        self.outer = Conv(channels, channels, gain=0.3)

    def forward(self, x):
        return x + self.outer(self.inner(x))


def residuals(channels, count):
    return [Residual(channels) for _ in range(count)]
