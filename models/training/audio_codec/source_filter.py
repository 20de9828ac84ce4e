"""Wren's voice: a source-filter decoder on frozen codec vectors.

From the vectors a causal network predicts, each 10 ms, the pitch and two filters of 161 log-magnitudes. The excitation is
a band-limited pulse train of that pitch and noise; each is filtered by its magnitudes in a short-time Fourier transform
of 20 ms windows. The wave is OUTPUT_DELAY samples late: one hop because a window reaches one hop back, one
because the network sees one hop more of the future than it renders, which the encoder's own windows make worth having.

Nothing is random: the noise is a table, read at the absolute sample position modulo its length, so the decoder in C++
makes the same wave.

The same codes can be said in another manner (Manner, SourceFilterDecoder.render): faster or slower by rows that last for
fewer or more samples, and in a lower voice by a lower pitch and filters moved as by a longer vocal tract.
"""

import dataclasses
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from audio_codec.layers import SAMPLE_RATE, CausalConv, Project, Up, activate, residuals
from audio_codec.model import FAST_WIDTH, VECTOR, WIDTH

HOP, WINDOW = 160, 320
BINS = WINDOW // 2 + 1
OUTPUT_DELAY = 2 * HOP
NOISE_LENGTH = 32768
MIN_PITCH, MAX_PITCH = 70.0, 400.0  # Hz
PITCH_OFFSET = 5.15  # of log Hz: 172 Hz
PITCH_SHARE = 0.05  # of the pitch error's gradient that reaches the shared network
HIGHEST_HARMONIC = 7800.0  # Hz
FILTER_OFFSET, FILTER_LOW, FILTER_HIGH = -1.5, -9.0, 4.0  # of log-magnitudes


@dataclasses.dataclass(frozen=True)
class Manner:
    """How codes are said. hop: samples a row lasts for; pitch: factor of the fundamental frequency; tract: factor of the
    filters' frequencies."""

    hop: int = HOP
    pitch: float = 1.0
    tract: float = 1.0


# As the runtime has them (src/model/source_filter_decoder.cc).
SPEEDS = {"slow": 200, "normal": HOP, "fast": 128}  # samples a row: 0.8, 1 and 1.25 times the speed
VOICES = {"own": (1.0, 1.0), "low": (0.62, 0.86)}  # factors of pitch and filters
MANNERS = {(voice, speed): Manner(hop, *factors) for voice, factors in VOICES.items() for speed, hop in SPEEDS.items()}


def resample_filters(log_magnitudes, tract, bins):
    """Log-magnitudes [..., BINS] read at other frequencies: bin b of `bins` has what stood at b / (bins - 1) / tract of the
    whole band, between two bins their mean by distance, beyond the last that one."""
    at = (torch.arange(bins, dtype=torch.float64) * ((BINS - 1) / ((bins - 1) * tract))).clamp(max=BINS - 1)
    left = at.floor().clamp(max=BINS - 2)
    share = (at - left).float()
    left = left.long()
    return torch.lerp(log_magnitudes[..., left], log_magnitudes[..., left + 1], share)


def pulse_train(phase, pitch):
    """Sum of cos(k phase) for k = 1 .. K, the harmonics below HIGHEST_HARMONIC, of the power of one cosine."""
    count = torch.floor(HIGHEST_HARMONIC / pitch)
    half = torch.sin(phase / 2)
    at_pulse = half.abs() < 1e-3
    ratio = torch.sin((count + 0.5) * phase) / torch.where(at_pulse, torch.ones_like(half), half)
    return torch.where(at_pulse, count, 0.5 * (ratio - 1)) / torch.sqrt(count / 2)


class SourceFilterDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        d, f = WIDTH, FAST_WIDTH
        self.net = nn.Sequential(
            CausalConv(VECTOR, d, 3), *residuals(d, (1, 2)), Up(d, d, 2), *residuals(d, (1, 2)),
            Up(d, f, 4), *residuals(f, (1, 2, 4, 1, 2, 4)),
        )
        self.filters = CausalConv(f, 2 * BINS, 1, gain=0.3)
        self.pitch = nn.Sequential(CausalConv(f, 64, 3), Project(64, 1))
        nn.init.constant_(self.filters.bias, -1.0)
        # Where predictions start from; the exporter folds them into biases.
        self.filter_offset, self.pitch_offset = FILTER_OFFSET, PITCH_OFFSET
        self.register_buffer("window", torch.hann_window(WINDOW).sqrt())
        noise = torch.randn(NOISE_LENGTH, generator=torch.Generator().manual_seed(16000))
        self.register_buffer("noise", noise.bfloat16().float())  # exact in the exported file

    def predict(self, vectors):
        """(log-magnitudes [B, T, 2, BINS], log pitch [B, T]), one row each hop."""
        h = activate(self.net(vectors))
        log_magnitudes = self.filters(h).view(*h.shape[:2], 2, BINS)
        # The pitch error's gradient is ten times the spectrum's; unscaled it would steer the network they share.
        for_pitch = PITCH_SHARE * h + (1 - PITCH_SHARE) * h.detach() if self.training else h
        return log_magnitudes, self.pitch(for_pitch)[..., 0] + self.pitch_offset

    def excitation(self, log_pitch, noise_start):
        """[B, 2, samples]: pulses and noise. The phase is summed in double: an error would never fade."""
        pitch = torch.exp(log_pitch.detach()).clamp(MIN_PITCH, MAX_PITCH)
        pitch = pitch.repeat_interleave(HOP, 1)
        turns = torch.cumsum(pitch.double() / 16000, 1)
        pulses = pulse_train((turns % 1).float() * (2 * math.pi), pitch)
        position = (torch.arange(pulses.shape[1]) + noise_start) % NOISE_LENGTH
        return torch.stack([pulses, self.noise[position].expand_as(pulses)], 1)

    def forward(self, vectors, log_pitch=None, noise_start=0):
        """(wave [B, samples], predicted log pitch [B, T]); `log_pitch` replaces the predicted one as the source."""
        log_magnitudes, predicted = self.predict(vectors)
        source = self.excitation(predicted if log_pitch is None else log_pitch, noise_start)
        frames = F.pad(source, (HOP, 0)).unfold(2, WINDOW, HOP) * self.window  # frame t ends with hop t
        gains = torch.exp((log_magnitudes + self.filter_offset).clamp(FILTER_LOW, FILTER_HIGH)).transpose(1, 2)
        spectrum = (torch.fft.rfft(frames) * gains).sum(1)
        made = torch.fft.irfft(spectrum, WINDOW) * self.window
        first, second = made[..., :HOP], made[..., HOP:]
        return (first + F.pad(second, (0, 0, 1, 0))[:, :-1]).flatten(1), predicted

    def _window(self, hop):
        """The rising and the falling half of a window of two rows of `hop` samples."""
        if hop == HOP:
            return self.window[:HOP], self.window[HOP:]  # as exported
        angle = torch.arange(hop, dtype=torch.float64) * (math.pi / (2 * hop))
        return torch.sin(angle).float(), torch.cos(angle).float()

    @torch.no_grad()
    def render(self, vectors, manners):
        """The wave of frames `vectors` [T, VECTOR], each said in its own Manner: what the runtime makes of them, row by row.

        A window covers the row before and its own, each with half a window of its length, so that rows of different lengths
        overlap without a gap. A row's step gives the samples of the row before it: the first frame after a change still
        has one row of the old length. All Manner(): what `forward` makes.
        """
        log_magnitudes, log_pitch = self.predict(vectors[None])
        log_magnitudes = (log_magnitudes[0] + self.filter_offset).clamp(FILTER_LOW, FILTER_HIGH)
        rows = len(log_pitch[0]) // len(vectors)
        past, carried, made = None, None, []
        turns, position = 0.0, 0
        for row in range(len(log_pitch[0])):
            manner = manners[row // rows]
            hop = manner.hop
            pitch = (torch.exp(log_pitch[0, row]) * manner.pitch).clamp(MIN_PITCH, MAX_PITCH)
            phase = turns + pitch.double() / SAMPLE_RATE * torch.arange(1, hop + 1)
            pulses = pulse_train((phase % 1).float() * (2 * math.pi), pitch)
            noise = self.noise[(torch.arange(hop) + position) % NOISE_LENGTH]
            source = torch.stack([pulses, noise])
            turns, position = float(phase[-1]) % 1, position + hop
            if past is None:
                past, carried = torch.zeros(2, hop), torch.zeros(hop)
            before = past.shape[1]
            size = 2 * max(before, hop)
            window = torch.cat([self._window(before)[0], self._window(hop)[1]])
            gains = torch.exp(resample_filters(log_magnitudes[row], manner.tract, size // 2 + 1))
            spectrum = (torch.fft.rfft(torch.cat([past, source], 1) * window, size) * gains).sum(0)
            both = torch.fft.irfft(spectrum, size)[: before + hop] * window
            made.append(carried + both[:before])
            past, carried = source, both[before:]
        return torch.cat(made)
