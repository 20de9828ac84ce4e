"""Speaks codes through the codec's decoder and has pocketsphinx listen."""

import numpy as np
import torch

from audio_codec import recogniser
from audio_codec.model import Codec
from audio_codec.source_filter import SourceFilterDecoder


class Listener:
    def __init__(self, codec, decoder):
        """Checkpoints of the codec and of its decoder."""
        self.codec, self.decoder = Codec().eval(), SourceFilterDecoder().eval()
        self.codec.load_state_dict(torch.load(codec, map_location="cpu"))
        self.decoder.load_state_dict(torch.load(decoder, map_location="cpu"))

    @torch.no_grad()
    def speak(self, codes):
        """[T, K] -> float32 samples."""
        frames = torch.from_numpy(np.asarray(codes, dtype=np.int64))[None]
        return self.decoder(self.codec.quantiser.decode(frames))[0][0].numpy()

    def heard(self, codes, grammar):
        """codes: list of [T, K]; grammar: what may be said (JSGF) -> what the listener understood of each."""
        return recogniser.recognise([self.speak(c) for c in codes], grammar)
