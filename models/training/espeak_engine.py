"""espeak-ng through libespeak-ng: waves with word and phoneme times.

The library has global state: one call at a time, started lazily so that every process of a pool has its own.
"""

import ctypes as c
import os
import subprocess

import numpy as np

import espeak_variants

_RATE, _PITCH, _RANGE = 1, 3, 4
_WORD, _PHONEME = 1, 7
_SYNCHRONOUS, _PHONEME_EVENTS = 2, 1
_UTF8, _CHARACTERS = 1, 1


class _Id(c.Union):
    _fields_ = [("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8)]


class _Event(c.Structure):
    _fields_ = [
        ("type", c.c_int), ("unique", c.c_uint), ("text_position", c.c_int), ("length", c.c_int),
        ("audio_position", c.c_int), ("sample", c.c_int), ("user", c.c_void_p), ("id", _Id),
    ]


class _Voice(c.Structure):
    _fields_ = [("name", c.c_char_p), ("languages", c.c_char_p), ("identifier", c.c_char_p)]


_lib = None
_sample_rate = 0
_current_voice = None
_waves, _words, _phones = [], [], []


@c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(_Event))
def _callback(samples, count, events):
    if count > 0 and samples:
        _waves.append(np.ctypeslib.as_array(samples, (count,)).copy())
    i = 0
    while events[i].type != 0:
        event = events[i]
        if event.type == _WORD:
            _words.append((event.text_position - 1, event.audio_position / 1000))
        elif event.type == _PHONEME:
            name = bytes(event.id.string).split(b"\0")[0].decode("utf8", "replace")
            _phones.append((event.audio_position / 1000, name))
        i += 1
    return 0


def _library():
    global _lib, _sample_rate
    if _lib is None:
        _lib = c.CDLL("libespeak-ng.so.1")
        _lib.espeak_Info.restype = c.c_char_p
        # The library itself tells where its data are only once it runs, and it cannot be started twice.
        version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
        folder = espeak_variants.data_folder(version.split("Data at:")[1].strip())
        _sample_rate = _lib.espeak_Initialize(_SYNCHRONOUS, 0, folder.encode(), _PHONEME_EVENTS)
        if _sample_rate <= 0:
            raise RuntimeError("libespeak-ng did not start")
        _lib.espeak_SetSynthCallback(_callback)
        _lib.espeak_GetCurrentVoice.restype = c.POINTER(_Voice)
    return _lib


def _set_voice(name):
    global _current_voice
    if name == _current_voice:
        return
    lib = _library()
    path = c.c_char_p()
    lib.espeak_Info(c.byref(path))
    accent, _, variant = name.partition("+")
    # A misspelt variant is dropped without an error: look whether the file is there.
    if variant and not os.path.exists(os.path.join(path.value.decode(), "voices", "!v", variant)):
        raise ValueError(f"espeak-ng has no variant {variant!r}")
    if lib.espeak_SetVoiceByName(name.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {name!r}")
    identifier = lib.espeak_GetCurrentVoice().contents.identifier.decode().lower()
    if accent.lower().split("/")[-1] not in identifier:
        raise ValueError(f"espeak-ng took {identifier!r} for {name!r}")
    _current_voice = name


def synthesize(text, voice, rate=160, pitch=50, pitch_range=50):
    """Returns (wave float32 in [-1, 1], sample rate, words, phones).

    words: (character offset, start s) as espeak reports them (it merges some, e.g. "of the"); phones: (start s, name).
    """
    lib = _library()
    _set_voice(voice)
    del _waves[:], _words[:], _phones[:]
    for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
        lib.espeak_SetParameter(parameter, int(value), 0)
    data = text.encode()
    lib.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
    lib.espeak_Synchronize()
    wave = np.concatenate(_waves) if _waves else np.zeros(0, np.int16)
    return wave.astype(np.float32) / 32768, _sample_rate, list(_words), list(_phones)
