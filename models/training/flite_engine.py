"""flite through its C library: waves with word and phoneme times.

One voice is loaded once a process; the library keeps global state, so call it from one thread.
"""

import ctypes as c

import numpy as np

VOICES = ("kal16", "awb", "rms", "slt")
_KAL16_F0 = 95.0  # Hz, the voice's own


class _Voice(c.Structure):
    _fields_ = [("name", c.c_char_p), ("features", c.c_void_p)]


class _Wave(c.Structure):
    _fields_ = [
        ("type", c.c_char_p),
        ("sample_rate", c.c_int),
        ("num_samples", c.c_int),
        ("num_channels", c.c_int),
        ("samples", c.POINTER(c.c_short)),
    ]


_lib = None
_voices = {}


def _library():
    global _lib
    if _lib is None:
        lib = c.CDLL("libflite.so.1", mode=c.RTLD_GLOBAL)
        for name, result, arguments in (
            ("flite_init", c.c_int, []),
            ("flite_synth_text", c.c_void_p, [c.c_char_p, c.c_void_p]),
            ("utt_wave", c.POINTER(_Wave), [c.c_void_p]),
            ("utt_relation", c.c_void_p, [c.c_void_p, c.c_char_p]),
            ("relation_head", c.c_void_p, [c.c_void_p]),
            ("item_next", c.c_void_p, [c.c_void_p]),
            ("item_feat_float", c.c_float, [c.c_void_p, c.c_char_p]),
            ("item_feat_string", c.c_char_p, [c.c_void_p, c.c_char_p]),
            ("flite_ffeature_float", c.c_float, [c.c_void_p, c.c_char_p]),
            ("flite_feat_set_float", None, [c.c_void_p, c.c_char_p, c.c_float]),
            ("delete_utterance", None, [c.c_void_p]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        lib.flite_init()
        _lib = lib
    return _lib


def _voice(name):
    if name not in _voices:
        _library()
        if name not in VOICES:
            raise ValueError(f"no flite voice {name!r}")
        for shared in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            c.CDLL(shared, mode=c.RTLD_GLOBAL)
        register = getattr(c.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        register.restype, register.argtypes = c.POINTER(_Voice), [c.c_char_p]
        _voices[name] = register(None)
    return _voices[name]


def _items(lib, utterance, relation):
    item = lib.relation_head(lib.utt_relation(utterance, relation))
    while item:
        yield item
        item = lib.item_next(item)


def synthesize(text, voice, stretch=1.0, f0=0, f0_shift=1.0):
    """Returns (wave float32 in [-1, 1], sample rate, token times, phones).

    token times: one (token, start s, end s) for each blank-separated token that sounds, in order; phones: (start s,
    end s, flite name). `f0` in Hz has an effect on kal16 only: the other voices carry their own intonation, which
    `f0_shift` multiplies.
    """
    lib = _library()
    handle = _voice(voice)
    features = handle.contents.features
    lib.flite_feat_set_float(features, b"duration_stretch", stretch)
    if voice == "kal16":  # features stay set: write it every time
        lib.flite_feat_set_float(features, b"int_f0_target_mean", f0 or _KAL16_F0)
    else:
        lib.flite_feat_set_float(features, b"f0_shift", f0_shift)
    utterance = lib.flite_synth_text(text.encode(), c.cast(handle, c.c_void_p))
    if not utterance:
        raise RuntimeError(f"flite could not say {text!r}")
    try:
        wave = lib.utt_wave(utterance).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / 32768
        rate = wave.sample_rate
        phones = []
        start = 0.0
        for segment in _items(lib, utterance, b"Segment"):
            end = lib.item_feat_float(segment, b"end")
            phones.append((start, end, lib.item_feat_string(segment, b"name").decode()))
            start = end
        tokens = []
        first = b"R:Token.daughter.R:SylStructure.daughter.daughter.R:Segment.p.end"
        last = b"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
        for token in _items(lib, utterance, b"Token"):
            end = lib.flite_ffeature_float(token, last)
            if end > 0:
                name = lib.item_feat_string(token, b"name").decode()
                tokens.append((name, lib.flite_ffeature_float(token, first), end))
        return samples, rate, tokens, phones
    finally:
        lib.delete_utterance(utterance)
