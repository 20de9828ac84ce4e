"""Pitch of clean speech by autocorrelation: the target that the source-filter decoder learns to predict."""

import numpy as np
import torch
import torch.nn.functional as F

HOP, WINDOW, FFT = 160, 640, 2048
SHORTEST, LONGEST = 50, 190  # lags in samples: 84 to 320 Hz
BLOCK = 20000


def track(wave):
    """wave [samples] -> (log pitch interpolated through unvoiced stretches, voiced 0 or 1), one value each hop; value t
    is of the window centred on sample 160 t + 80."""
    count = len(wave) // HOP
    padded = F.pad(wave, (WINDOW // 2 - HOP // 2, WINDOW))
    window = torch.hann_window(WINDOW)
    of_window = torch.fft.irfft(torch.fft.rfft(window, FFT).abs() ** 2)[: LONGEST + 2]
    of_window = of_window / of_window[0]
    pitch, voiced = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for start in range(0, count, BLOCK):
        n = min(BLOCK, count - start)
        frames = padded[start * HOP : start * HOP + (n - 1) * HOP + WINDOW].unfold(0, WINDOW, HOP)
        energy = (frames**2).mean(1)
        frames = (frames - frames.mean(1, keepdim=True)) * window
        correlation = torch.fft.irfft(torch.fft.rfft(frames, FFT).abs() ** 2)[:, : LONGEST + 2]
        correlation = correlation / (correlation[:, :1] + 1e-9) / of_window
        part = correlation[:, SHORTEST:LONGEST]
        inner = part[:, 1:-1]
        peak = (inner > part[:, :-2]) & (inner >= part[:, 2:])
        best = torch.where(peak, inner, torch.zeros(1)).max(1).values
        # The first peak nearly as high as the highest, or octaves are taken for the pitch.
        lag = ((inner > 0.88 * best[:, None]) & peak).float().argmax(1) + 1 + SHORTEST
        left, middle, right = (correlation.gather(1, (lag + k)[:, None])[:, 0] for k in (-1, 0, 1))
        shift = 0.5 * (left - right) / (left - 2 * middle + right - 1e-9)
        pitch[start : start + n] = (16000 / (lag + shift.clamp(-0.5, 0.5))).numpy()
        voiced[start : start + n] = ((best > 0.55) & (energy > 1e-5)).float().numpy()
    there = voiced > 0
    hops = np.arange(count)
    if not there.any():
        return torch.full((count,), 5.15), torch.from_numpy(voiced)
    log_pitch = np.interp(hops, hops[there], np.log(pitch[there])).astype(np.float32)
    return torch.from_numpy(log_pitch), torch.from_numpy(voiced)
