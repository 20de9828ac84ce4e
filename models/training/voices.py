"""Synthetic speech with times, and the voices that training may and may not hear.

    rng = random.Random(1)
    voice = sample_voice(rng, "train")          # or "heldout"; OUTPUT_VOICE is the voice Wren speaks with
    speech = synthesize("what is two plus three", voice)
    speech.wave      float32 [samples] at 16 kHz, peak 0.5
    speech.words     [(start s, end s)], one for each token of the text, in order
    speech.phones    [(start s, end s, index into phonemes.CLASSES)], in order

Text is a string (split at blanks) or a list of tokens. A token is a written word, or `letter("c")` for a letter that is
to be named: a lone "a" would be read as the article. Words are lower case without punctuation; the caller may put
"," "." or "?" at the end of a token to shape the intonation.

Held-out voices never occur in any training data: espeak-ng variants +f5 and +m7, the accent en-gb-scotland, flite rms.
"""

import dataclasses
import os
import random

import numpy as np

import espeak_engine
import espeak_variants
import flite_engine
import phonemes

SAMPLE_RATE = 16000
PEAK = 0.5


@dataclasses.dataclass(frozen=True)
class Voice:
    engine: str  # "flite" or "espeak"
    name: str  # flite voice, or accent with an optional +variant
    speed: float  # flite: stretch of durations; espeak: words a minute
    pitch: float = 0.0  # flite kal16: Hz or 0; other flite voices: factor or 0; espeak: 0..99
    pitch_range: float = 50.0  # espeak only
    warp: float = 1.0  # resampling: below 1 is faster and higher

    def __str__(self):
        return f"{self.engine}:{self.name}"


@dataclasses.dataclass
class Speech:
    wave: np.ndarray
    words: list
    phones: list


OUTPUT_VOICE = Voice("flite", "slt", 1.0)

_ACCENTS = ("en-us", "en-us", "en-us", "gmw/en", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
_VARIANTS = (
    "f1 f2 f3 f4 m1 m2 m3 m4 m5 m6 Annie Alicia belinda adam david ed Andy Michael steph edward klatt2 klatt3 max paul "
    "rob shelby quincy john Lee pablo victor zac grandma travis miguel iven2"
).split()
_MADE_UP_SHARE = 0.6  # of espeak's voices: espeak_variants.py
_HELD_OUT = ("en-us+f5", "en-us+m7", "gmw/en+f5", "gmw/en+m7", "en-gb-scotland", "en-gb-scotland+f2", "en-gb-scotland+m3")


class letter(str):
    """A token that is one letter, to be spoken by its name."""


# Both engines name a lone letter, but read "a" as the article; "zee" in every accent. Checked by `python3 voices.py`.
_LETTER_NAMES = {name: name for name in "bcdefghijklmnopqrstuvwxy"}
_LETTER_NAMES.update(a="eigh", z="zee")


def sample_voice(rng, split="train"):
    """A voice of the split from `rng` (random.Random); the same state gives the same voice."""
    if split == "heldout":
        if rng.random() < 0.3:
            return Voice("flite", "rms", rng.uniform(0.9, 1.15))
        return Voice("espeak", rng.choice(_HELD_OUT), rng.randint(135, 190), rng.randint(30, 70), rng.randint(40, 70),
                     rng.uniform(0.95, 1.05))
    if split != "train":
        raise ValueError(f"no split {split!r}")
    kind = rng.random()
    if kind < 0.10:
        return Voice("flite", "kal16", rng.uniform(0.9, 1.2), rng.choice([0, 75, 90, 110, 130]), warp=rng.uniform(0.85, 1.18))
    if kind < 0.28:
        return _other_speaker(rng, "awb", 0.82, 1.18)
    if kind < 0.46:
        return _other_speaker(rng, "slt", 0.88, 1.3)
    accent = rng.choice(_ACCENTS)
    speed, pitch, pitch_range = rng.randint(130, 200), rng.randint(15, 85), rng.randint(30, 80)
    if rng.random() < _MADE_UP_SHARE:
        return Voice("espeak", f"{accent}+{rng.choice(espeak_variants.NAMES)}", speed, pitch, pitch_range)
    name = accent if rng.random() < 0.06 else f"{accent}+{rng.choice(_VARIANTS)}"
    return Voice("espeak", name, speed, pitch, pitch_range, rng.uniform(0.9, 1.1))


def _other_speaker(rng, name, shortest, longest):
    """A flite voice as another person: the warp sets the vocal tract, and the pitch is made independent of it."""
    warp = rng.uniform(shortest, longest)
    return Voice("flite", name, rng.uniform(0.87, 1.2) / warp**0.7, warp * rng.uniform(0.6, 1.15) if name == "slt" else
                 warp * rng.uniform(0.75, 1.35), warp=warp)


def resample(wave, ratio):
    """Band-limited resampling to `ratio` times as many samples."""
    if abs(ratio - 1) < 1e-6:
        return wave.astype(np.float32)
    margin = 512
    count = len(wave) + 2 * margin
    size = 1 << max(10, count - 1).bit_length()
    for smooth in (size * 9 // 16, size * 5 // 8, size * 3 // 4, size * 27 // 32):  # small factors: a fast transform
        if smooth >= count:
            size = smooth
            break
    padded = np.zeros(size, np.float32)
    padded[margin : margin + len(wave)] = wave
    target = int(round(size * ratio / 16)) * 16
    spectrum = np.fft.rfft(padded)
    out = np.zeros(target // 2 + 1, np.complex64)
    keep = min(len(out), len(spectrum))
    out[:keep] = spectrum[:keep]
    result = np.fft.irfft(out, target) * (target / size)
    exact = target / size
    start = int(round(margin * exact))
    return result[start : start + int(round(len(wave) * exact))].astype(np.float32)


def _tokens(text):
    return text.split() if isinstance(text, str) else list(text)


def spoken_form(token):
    """What the synthesiser is given for a token."""
    return _LETTER_NAMES[token.lower()] if isinstance(token, letter) else token


def _say_flite(tokens, voice):
    spoken = [spoken_form(t) for t in tokens]
    wave, rate, times, phones = flite_engine.synthesize(
        " ".join(spoken), voice.name, voice.speed, voice.pitch, voice.pitch or 1.0
    )
    phones = [(s, e, phonemes.from_flite(p)) for s, e, p in phones]
    if len(times) != len(tokens):
        raise ValueError(f"flite made {len(times)} of {len(tokens)} tokens of {spoken}")
    return wave, rate, [(s, e) for _, s, e in times], phones


def _say_espeak(tokens, voice):
    spoken = [spoken_form(t) for t in tokens]
    wave, rate, events, names = espeak_engine.synthesize(
        " ".join(spoken), voice.name, voice.speed, voice.pitch, voice.pitch_range
    )
    length = len(wave) / rate
    phones = []
    for i, (start, name) in enumerate(names):
        index = phonemes.from_espeak(name)
        if index is not None:
            phones.append((start, names[i + 1][0] if i + 1 < len(names) else length, index))
    # The first event at or after a token's first character is the token's start; a token without one was merged with
    # the token before it and shares that one's time.
    offsets, position = [], 0
    for word in spoken:
        offsets.append(position)
        position += len(word) + 1
    starts = [None] * len(tokens)
    for offset, time in events:
        index = max(i for i, o in enumerate(offsets) if o <= max(offset, 0))
        if starts[index] is None:
            starts[index] = time
    sounds = [(s, e) for s, e, p in phones if p != phonemes.SILENCE]
    if starts[0] is None or not sounds:
        raise ValueError(f"espeak gave no times for {spoken}")
    words, i = [], 0
    while i < len(tokens):
        j = i + 1
        while j < len(tokens) and starts[j] is None:
            j += 1
        begin, limit = starts[i], starts[j] if j < len(tokens) else length
        inside = [(s, e) for s, e in sounds if s >= begin - 0.001 and s < limit - 0.001]
        start, end = (inside[0][0], inside[-1][1]) if inside else (begin, limit)
        sizes = np.cumsum([0] + [len(t) for t in tokens[i:j]]) / sum(len(t) for t in tokens[i:j])
        words += [(start + (end - start) * a, start + (end - start) * b) for a, b in zip(sizes[:-1], sizes[1:])]
        i = j
    return wave, rate, words, phones


def synthesize(text, voice):
    """Speech of the text with the voice; ValueError when the engine's times do not match the tokens."""
    tokens = _tokens(text)
    if not tokens:
        raise ValueError("no text")
    wave, rate, words, phones = (_say_flite if voice.engine == "flite" else _say_espeak)(tokens, voice)
    wave = resample(wave, voice.warp * SAMPLE_RATE / rate)
    if len(wave) < SAMPLE_RATE // 10:
        raise ValueError(f"no sound for {tokens}")
    wave *= PEAK / max(1e-3, float(np.abs(wave).max()))
    scale = voice.warp
    return Speech(
        wave,
        [(s * scale, e * scale) for s, e in words],
        [(s * scale, e * scale, p) for s, e, p in phones],
    )


def _check():
    """Every voice exists and differs, letters are named, and word times cover the speech."""
    base = synthesize("the quick brown fox", Voice("espeak", "en-us", 160, 50)).wave
    seen = set()
    for name in [f"{a}+{v}" for a in sorted(set(_ACCENTS)) for v in _VARIANTS + list(espeak_variants.NAMES)] + list(_HELD_OUT) + sorted(set(_ACCENTS)):
        wave = synthesize("the quick brown fox", Voice("espeak", name, 160, 50)).wave
        key = wave.tobytes()
        if key in seen:
            print("same sound as another voice:", name)
        seen.add(key)
    for name in flite_engine.VOICES:
        synthesize("the quick brown fox", Voice("flite", name, 1.0))
    for voice in (OUTPUT_VOICE, Voice("espeak", "en-us", 160, 50)):
        for name in _LETTER_NAMES:
            phones = synthesize([letter(name)], voice).phones
            print(voice.engine, name, " ".join(phonemes.CLASSES[p] for _, _, p in phones if p))
        speech = synthesize(["the", "capital", "of", "the", "spelled", letter("a"), letter("b"), "42", "is", "paris."], voice)
        print(voice, [f"{s:.2f}-{e:.2f}" for s, e in speech.words], f"{len(speech.wave) / SAMPLE_RATE:.2f}")
    rng = random.Random(0)
    for split in ("train", "heldout"):
        for _ in range(200):
            voice = sample_voice(rng, split)
            speech = synthesize("what is seven plus twelve", voice)
            assert len(speech.words) == 5 and all(a < b for a, b in speech.words), (voice, speech.words)
            assert speech.words[-1][1] <= len(speech.wave) / SAMPLE_RATE + 0.02, (voice, speech.words)
    print("base voice", len(base), "samples; unknown phoneme symbols:", phonemes.unknown)


if __name__ == "__main__":
    _check()
