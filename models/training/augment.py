"""What rooms, microphones and distance do to speech: gain, reverberation, noise.

    heard, clean = augment(wave, rng)     rng: numpy.random.Generator

`clean` is the wave with the same gain and nothing else, the target of a codec; `heard` is what the encoder gets.
Resampling warps are part of the voice (voices.Voice.warp), because they move the times of words and phonemes.
"""

import numpy as np

SAMPLE_RATE = 16000


def _next_size(count):
    size = 1 << (count - 1).bit_length()
    return size * 3 // 4 if size * 3 // 4 >= count else size


def reverberate(wave, rng):
    """Adds an exponentially decaying noise tail of 30 to 200 ms, 20 % to 60 % of the direct sound's level."""
    length = int(rng.uniform(0.03, 0.2) * SAMPLE_RATE)
    tail = rng.standard_normal(length).astype(np.float32) * np.exp(-np.arange(length, dtype=np.float32) * (5.0 / length))
    tail[:16] = 0
    tail *= rng.uniform(0.2, 0.6) / np.linalg.norm(tail)
    tail[0] = 1
    size = _next_size(len(wave) + length)
    return np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(tail, size), size)[: len(wave)].astype(np.float32)


def add_noise(wave, rng, low=10.0, high=40.0):
    """Adds white or brown noise at a signal-to-noise ratio between `low` and `high` dB."""
    noise = rng.standard_normal(len(wave)).astype(np.float32)
    if rng.random() < 0.5:
        # Brown noise without its drift: a leaky sum, here as 1/f shaping of the spectrum above 20 Hz.
        size = _next_size(len(wave))
        spectrum = np.fft.rfft(noise, size)
        frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        noise = np.fft.irfft(spectrum * (frequency > 20) / np.maximum(frequency, 20), size)[: len(wave)]
    level = wave.std() * 10 ** (-rng.uniform(low, high) / 20)
    return wave + (noise * (level / max(float(noise.std()), 1e-9))).astype(np.float32)


def equalise(wave, rng, span=8.0):
    """Colours the spectrum as microphones and mouths do: a smooth random gain within `span` dB up or down."""
    size = _next_size(len(wave))
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    knots = np.log(np.array([80.0, 300.0, 800.0, 1600.0, 3000.0, 5000.0, 8000.0]))
    gain = np.interp(np.log(np.maximum(frequency, 80.0)), knots, rng.uniform(-span, span, len(knots)))
    return np.fft.irfft(np.fft.rfft(wave, size) * 10 ** (gain / 20), size)[: len(wave)].astype(np.float32)


def augment(wave, rng, gain=(-12.0, 4.0), reverberation=0.25, noise=0.6, noise_range=(10.0, 40.0)):
    """Returns (heard, clean); `gain` in dB, `noise_range` of signal-to-noise ratios in dB, the others are probabilities."""
    clean = wave * np.float32(10 ** (rng.uniform(*gain) / 20))
    heard = clean
    if rng.random() < reverberation:
        heard = reverberate(heard, rng)
    if rng.random() < noise:
        heard = add_noise(heard, rng, *noise_range)
    return heard, clean
