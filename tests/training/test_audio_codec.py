"""The codec's training stages, each for a step or two on a little noise: what they hand on is whole and what they must not
touch stays."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_TRAINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "training")
sys.path.insert(0, _TRAINING)

import numpy as np
import torch

import augment
from safetensors_file import write_safetensors
from audio_codec import codec_tokens, export, layers, restore_codec, source_filter, train_decoder, train_hearing
from audio_codec.model import FRAME, SIZES, VECTOR, Codec
from audio_codec.source_filter import HOP, MANNERS, Manner


def write_corpus(folder):
    rng = np.random.default_rng(3)
    for name, seconds in (("output", 4), ("input", 4), ("eval_output", 2), ("eval_input", 2), ("eval_seen", 2)):
        wave = (3000 * rng.standard_normal(16000 * seconds)).astype(np.int16)
        np.save(f"{folder}/{name}.wave.npy", wave)
        np.save(f"{folder}/{name}.labels.npy", rng.integers(0, 40, 100 * seconds).astype(np.uint8))
        with open(f"{folder}/{name}.json", "w") as out:
            json.dump([["noise", "none", 0, len(wave)]], out)


class StagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.folder = cls.kept.name
        write_corpus(cls.folder)
        cls.run_stage("train_encoder", "encoder.pt", "--batch", 2)
        cls.run_stage("train_hearing", "hearing.pt", "--start", cls.path("encoder.pt"), "--batch", 2)
        for start, tokens in (("encoder.pt", "codec_tokens.pt"), ("hearing.pt", "hearing_tokens.pt")):
            cls.call("codec_tokens", "--encoder", cls.path(start), "--out", cls.path(tokens))
        cls.run_stage("train_decoder", "decoder.pt", "--encoder", cls.path("codec_tokens.pt"), "--batch", 2)

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def call(cls, script, *arguments):
        command = [sys.executable, "-m", "audio_codec." + script, *map(str, arguments)]
        subprocess.run(command, cwd=_TRAINING, check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def run_stage(cls, script, out, *arguments):
        """Minutes that are over at once allow a step or two."""
        cls.call(script, "--data", cls.folder, "--out", cls.path(out), "--minutes", 0, *arguments)

    def state(self, name):
        return torch.load(self.path(name), map_location="cpu")

    def test_each_stage_logs_its_losses_and_its_evaluation(self):
        for out, loss, figure in (("encoder.pt", "spectrum", "eval_input"), ("hearing.pt", "before", "eval_seen_perplexity"),
                                  ("decoder.pt", "pitch", "held_out_spectrum")):
            with open(self.path(out + ".jsonl")) as log:
                losses, evaluation = map(json.loads, log)
            self.assertTrue(np.isfinite(losses[loss]))
            self.assertLessEqual(losses["step"], 2)
            self.assertIn(figure, evaluation)

    def test_the_decoder_learns_from_codes_that_were_spoken_too(self):
        rng = np.random.default_rng(8)
        codes = np.stack([rng.integers(0, size, 60) for size in SIZES], 1).astype(np.int16)
        samples = (3000 * rng.standard_normal(60 * FRAME)).astype(np.int16)
        np.savez(self.path("spoken.npz"), codes=codes, samples=samples, bounds=[0, 25, 60])
        examples = train_decoder.Examples.spoken(self.path("spoken.npz"))
        np.testing.assert_array_equal(examples.codes.numpy(), codes)
        self.assertEqual(len(examples.waves), len(samples))
        self.run_stage("train_decoder", "spoken.pt", "--encoder", self.path("codec_tokens.pt"), "--start",
                       self.path("decoder.pt"), "--batch", 2, "--spoken", self.path("spoken.npz"))
        before, after = self.state("decoder.pt"), self.state("spoken.pt")
        self.assertTrue(any(not torch.equal(before[name], after[name]) for name in before))

    def test_ears_have_an_encoder_and_codebooks_of_their_own(self):
        before, after = self.state("encoder.pt"), self.state("hearing.pt")
        self.assertEqual(set(before), set(after))
        moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        self.assertEqual(moved, {"encoder", "quantiser", "phonemes"})
        for k in range(len(SIZES)):
            self.assertFalse(torch.equal(before[f"quantiser.books.{k}.vectors"], after[f"quantiser.books.{k}.vectors"]))

    def test_training_goes_on_from_exported_weights(self):
        load = lambda ears, codec, decoder: (*map(export.load_codec, map(self.path, (ears, codec))),
                                             export.load_decoder(self.path(decoder)))
        tensors, _ = export.collect(*load("hearing_tokens.pt", "codec_tokens.pt", "decoder.pt"))
        with tempfile.TemporaryDirectory() as folder:
            write_safetensors(os.path.join(folder, "audio_codec.safetensors"), tensors)
            parts = restore_codec.restored(folder)
        names = ("restored_ears.pt", "restored_codec.pt", "restored_decoder.pt")
        for part, name in zip(parts, names):
            torch.save(part.state_dict(), self.path(name))
        again, _ = export.collect(*load(*names))
        self.assertEqual(set(again), set(tensors))
        for name, tensor in tensors.items():
            self.assertLess(float((again[name].float() - tensor.float()).abs().max()), 2e-3, name)

    def test_the_read_out_learns_first_when_it_is_asked_to(self):
        self.run_stage("train_hearing", "readout.pt", "--start", self.path("encoder.pt"), "--batch", 3,
                       "--readout-steps", 5)
        before, after = self.state("encoder.pt"), self.state("readout.pt")
        changed = lambda part: max(float((before[n] - after[n]).abs().max()) for n in before if n.startswith(part))
        self.assertGreater(changed("phonemes"), 0)
        self.assertLess(changed("encoder"), 1e-6)  # weight decay alone

    def test_frozen_tokens_are_float16(self):
        for path in ("codec_tokens.pt", "hearing_tokens.pt"):
            for name, value in self.state(path).items():
                if value.is_floating_point():
                    self.assertTrue(torch.equal(value, value.half().float()), name)

    def test_tokens_do_not_depend_on_what_else_is_encoded(self):
        tokens = codec_tokens.load(self.path("codec_tokens.pt"))
        rng = np.random.default_rng(5)
        waves = [rng.standard_normal(n).astype(np.float32) * 0.1 for n in (5000, 12800, 3000)]
        together = tokens.encode(waves)
        for wave, codes in zip(waves, together):
            np.testing.assert_array_equal(tokens.encode([wave])[0], codes)
            self.assertEqual(codes.shape, (-(-len(wave) // 1280), 4))

    def test_hearing_reads_the_vectors_that_the_codes_stand_for(self):
        codec = Codec()
        codec.load_state_dict(self.state("hearing.pt"))
        with torch.no_grad():
            semantic, acoustic = codec.encoder(0.1 * torch.randn(1, 12800))
            first, all_vectors, _, _ = train_hearing.quantise(codec.quantiser, semantic, acoustic)
            codes = codec.quantiser.encode(semantic, acoustic)
            torch.testing.assert_close(first, codec.quantiser.books[0].vectors[codes[..., 0]])
            torch.testing.assert_close(all_vectors, codec.quantiser.decode(codes))

    def test_the_frame_before_is_asked_for_one_frame_later(self):
        targets = torch.arange(12).view(1, 3, 4)
        self.assertEqual(train_hearing.frame_before(targets).tolist(), [[[0] * 4, [0, 1, 2, 3], [4, 5, 6, 7]]])


class MannerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(1)
        cls.decoder = source_filter.SourceFilterDecoder().eval()
        cls.vectors = torch.randn(7, VECTOR)

    def test_the_default_manner_is_what_was_trained(self):
        with torch.no_grad():
            trained, _ = self.decoder(self.vectors[None])
        said = self.decoder.render(self.vectors, [Manner()] * 7)
        torch.testing.assert_close(said, trained[0], atol=1e-6, rtol=0)
        self.assertGreater(float(said.abs().max()), 1e-3)

    def test_frames_have_the_length_of_their_speed(self):
        for (_, speed), manner in MANNERS.items():
            length = {"slow": 5 * FRAME // 4, "normal": FRAME, "fast": 4 * FRAME // 5}[speed]
            self.assertEqual(len(self.decoder.render(self.vectors, [manner] * 7)), 7 * length)

    def test_a_change_moves_the_difference_of_one_row(self):
        slow, fast = MANNERS["own", "slow"], MANNERS["low", "fast"]
        said = self.decoder.render(self.vectors, [slow] * 3 + [fast] * 4)
        self.assertEqual(len(said), 3 * 8 * slow.hop + 4 * 8 * fast.hop + slow.hop - fast.hop)
        unchanged = self.decoder.render(self.vectors, [slow] * 7)
        torch.testing.assert_close(said[: 3 * 8 * slow.hop], unchanged[: 3 * 8 * slow.hop], atol=1e-6, rtol=0)

    def test_filters_are_read_at_other_frequencies(self):
        ramp = torch.arange(source_filter.BINS).float()
        torch.testing.assert_close(source_filter.resample_filters(ramp, 1.0, source_filter.BINS), ramp)
        moved = source_filter.resample_filters(ramp, 0.8, 129)
        self.assertEqual(len(moved), 129)
        self.assertAlmostEqual(float(moved[40]), 40 * (HOP / 128) / 0.8, places=4)
        self.assertEqual(float(moved[-1]), HOP)  # beyond the band its end

    def test_the_recording_has_every_manner(self):
        codes = torch.randint(0, 500, (40, len(SIZES)))
        recorded = export.golden_manners(Codec().eval(), self.decoder, codes)
        self.assertEqual(sorted(set(recorded["manners"].tolist())), list(range(len(MANNERS))))
        self.assertEqual(len(recorded["codes"]), len(recorded["manners"]))


class TractTest(unittest.TestCase):
    def test_a_longer_tract_moves_the_spectrum_down(self):
        time = torch.arange(16000) / 16000
        mel = lambda hertz: layers.MelSpectrogram()(0.3 * torch.sin(2 * np.pi * hertz * time)[None])
        moved = layers.stretch_tract(torch.cat([mel(2000.0)] * 2), np.array([1.0, 1.25]))
        torch.testing.assert_close(moved[:1], mel(2000.0))
        self.assertEqual(int(moved[1, 50].argmax()), int(mel(1600.0)[0, 50].argmax()))


class EqualiseTest(unittest.TestCase):
    def test_colours_within_the_span(self):
        wave = np.random.default_rng(1).standard_normal(16000).astype(np.float32)
        coloured = augment.equalise(wave, np.random.default_rng(2), span=6.0)
        self.assertEqual(coloured.shape, wave.shape)
        self.assertEqual(coloured.dtype, np.float32)
        # Smoothed over 100 Hz, so that what the cut ends leak does not count.
        power = lambda x: np.convolve(np.abs(np.fft.rfft(x)) ** 2, np.ones(100), "same")[200:-200]
        gain = 10 * np.log10(power(coloured) / power(wave))
        self.assertLess(np.abs(gain).max(), 6.5)
        self.assertGreater(np.ptp(gain), 1.0)


if __name__ == "__main__":
    unittest.main()
