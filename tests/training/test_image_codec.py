"""The image codec's training stages, each for a step or two on a few pictures."""

import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_TRAINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "training")
sys.path.insert(0, _TRAINING)

import numpy as np
import torch

import scenes
from image_codec import data, evaluate, export, judge, naming, tiny_codec, train_autoencoder
from image_codec.model import CODES, GRID, PATCH, VECTOR, ImageCodec
from safetensors_file import read_safetensors


class Stages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.folder = cls.kept.name
        with unittest.mock.patch.object(data, "HELD_OUT", 64), unittest.mock.patch.object(
                sys, "argv", ["data", "--out", cls.folder, "--scenes", "48", "--clutter", "8", "--processes", "1"]):
            data.main()
        cls.call("train_judge", "--out", cls.path("judge.pt"), "--minutes", 0, "--batch", 4)
        cls.call("train_autoencoder", "--judge", cls.path("judge.pt"), "--out", cls.path("codec.pt"), "--minutes", 0,
                 "--batch", 5)

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def call(cls, module, *arguments):
        command = [sys.executable, "-m", "image_codec." + module, "--data", cls.folder, *map(str, arguments)]
        subprocess.run(command, cwd=_TRAINING, check=True, stdout=subprocess.DEVNULL)

    def test_held_out_scenes_are_not_among_those_of_training(self):
        training, held_out = data.Pictures(self.folder, "scenes"), data.Pictures(self.folder, "held_out")
        seen = {picture.tobytes() for picture in training.pictures}
        self.assertTrue(all(picture.tobytes() not in seen for picture in held_out.pictures))
        things, colours = held_out.labels([0, 1])
        self.assertEqual([judge.NAMES[i] for i in things[0].nonzero()[:, 0]], sorted(held_out.about[0][0], key=judge.NAMES.index))
        self.assertEqual(judge.COLOURS[colours[1]], held_out.about[1][1])

    def test_each_stage_logs_its_losses_and_its_evaluation(self):
        for name, figure in (("judge.pt", "named"), ("codec.pt", "held_out")):
            with open(self.path(name + ".jsonl")) as log:
                losses, evaluation = map(json.loads, log)
            self.assertLessEqual(losses["step"], 2)
            self.assertIn(figure, evaluation)

    def test_codes_stand_for_the_picture_that_the_network_makes(self):
        codec = ImageCodec()
        codec.load_state_dict(torch.load(self.path("codec.pt")))
        picture = data.Pictures(self.folder, "held_out").take([0, 1, 2])
        codes = codec.encode(picture)
        self.assertEqual(codes.shape, (3, GRID * GRID))
        self.assertTrue(0 <= int(codes.min()) and int(codes.max()) < CODES)
        with torch.no_grad():
            torch.testing.assert_close(codec.decode(codes), codec.paint(codec.quantise(picture)[0]).clamp(0, 1))

    def test_the_sheet_shows_originals_above_what_the_codec_makes(self):
        pictures = data.Pictures(self.folder, "held_out")
        found = evaluate.sheet(ImageCodec(), pictures)
        side = scenes.SIDE + 2
        self.assertEqual(found.shape, (2 * evaluate.SHEET_ROWS * side, evaluate.SHEET_COLUMNS * side, 3))
        np.testing.assert_array_equal(found[1 : side - 1, 1 : side - 1], pictures.pictures[0])


    def test_the_export_holds_the_codec_and_what_it_does(self):
        self.call("export", "--codec", self.path("codec.pt"), "--model", self.path("model"), "--section",
                  self.path("section.json"), "--golden", self.path("golden"))
        with open(self.path("section.json")) as source:
            section = json.load(source)
        with open(self.path("golden.json")) as source:
            self.assertEqual(json.load(source), section)
        self.assertEqual(section["image"], {"side": scenes.SIDE, "grid": GRID, "codebook_size": CODES})
        described = section["image_codec"]
        self.assertEqual((described["vector_size"], described["patch"]), (VECTOR, PATCH))
        codec, exported = export.load_codec(self.path("codec.pt")), read_safetensors(self.path("model/image_codec.safetensors"))
        torch.testing.assert_close(exported["codebook"].float(), codec.book.vectors, rtol=0, atol=0)
        for part in ("encoder", "decoder"):
            self.assertEqual(len(described[part]), len(getattr(codec, part)))
            for name, tensor in getattr(codec, part).state_dict().items():
                torch.testing.assert_close(exported[f"{part}.{name}"].float(), tensor, rtol=0, atol=0)
        self.assertEqual(described["encoder"][2], {"kind": "conv", "inputs": 96, "outputs": 192, "kernel": 4, "stride": 2,
                                                   "activate": 1, "shuffle": 1})
        self.assertEqual(described["decoder"][3], {"kind": "conv", "inputs": 192, "outputs": 96, "kernel": 3, "stride": 1,
                                                   "activate": 1, "shuffle": 2})
        self.assertEqual(described["decoder"][1], {"kind": "residual", "channels": 192})
        golden = read_safetensors(self.path("golden.safetensors"))
        self.assertEqual(golden["pictures"].shape, (export.RECORDED, scenes.SIDE, scenes.SIDE, 3))
        pictures = golden["pictures"].permute(0, 3, 1, 2).float() / 255
        np.testing.assert_array_equal(codec.encode(pictures), golden["codes"])
        made = codec.decode(golden["codes"].long()).permute(0, 2, 3, 1)
        self.assertLess(float((made - golden["made"].float() / 255).abs().max()), 0.502 / 255)


class TinyCodec(unittest.TestCase):
    def test_it_is_the_one_in_the_repository(self):
        kept = os.path.join(_TRAINING, "..", "..", "tests", "golden")
        with tempfile.TemporaryDirectory() as folder:
            tiny_codec.write_tiny_codec(folder, os.path.join(folder, "golden"))
            for made, there in (("golden.json", "tiny_image_codec.json"), ("golden.safetensors", "tiny_image_codec.safetensors"),
                                ("image_codec.safetensors", "tiny_model/image_codec.safetensors")):
                with open(os.path.join(folder, made), "rb") as a, open(os.path.join(kept, there), "rb") as b:
                    self.assertEqual(a.read(), b.read(), there)

    def test_its_golden_vectors_use_many_codes(self):
        codec = tiny_codec.make_codec(7)
        codes = codec.encode(tiny_codec.random_pictures(24, torch.Generator().manual_seed(8)))
        self.assertGreater(len(codes.unique()), tiny_codec.CODES // 2)


class Measures(unittest.TestCase):
    def test_signal_to_noise_is_in_decibels(self):
        picture = torch.full((2, 3, 8, 8), 0.5)
        self.assertAlmostEqual(train_autoencoder.signal_to_noise(picture + 0.1, picture), 20.0, places=3)

    def test_structure_is_lost_by_blur_and_not_by_nothing(self):
        picture = naming.tensor([scenes.draw(scenes.random_scene(random.Random(n))) for n in range(3)])
        blurred = torch.nn.functional.avg_pool2d(picture, 5, 1, 2)
        self.assertAlmostEqual(evaluate.similarity(picture, picture), 1.0, places=4)
        self.assertLess(evaluate.similarity(blurred, picture), 0.95)
        self.assertGreater(evaluate.similarity(blurred, picture), evaluate.similarity(torch.rand(picture.shape), picture))

    def test_things_are_named_by_their_pictures(self):
        namer, generator = naming.Namer(), torch.Generator().manual_seed(4)
        for names in (["violin"], ["dog", "cat"], ["key", "sun", "key"], ["apple", "bus", "owl", "bed"]):
            scene = scenes.arranged(names, "blue")
            picture = naming.tensor([scenes.draw(scene)])[0]
            self.assertEqual(namer.names(picture, scene), names)
            self.assertTrue(namer.right(picture + 0.1 * torch.randn(picture.shape, generator=generator), scene))
            self.assertFalse(namer.right(picture.flip(1), scene))

    def test_a_picture_looks_like_itself(self):
        torch.manual_seed(1)
        network, picture = judge.Judge(), torch.rand(2, 3, scenes.SIDE, scenes.SIDE)
        features = network.features(picture)
        self.assertEqual(float(judge.distance(features, features)), 0.0)
        self.assertGreater(float(judge.distance(features, network.features(picture.flip(3)))), 1e-3)

    def test_names_are_right_when_all_of_them_are(self):
        class Fixed(torch.nn.Module):
            def forward(self, picture):
                names = torch.zeros(2, len(judge.NAMES))
                names[:, [3, 5]] = 1.0
                return names, torch.eye(len(judge.COLOURS))[[2, 2]]

        things = torch.zeros(2, len(judge.NAMES))
        things[0, [3, 5]] = 1
        things[1, [3, 6]] = 1
        self.assertEqual(judge.accuracy(Fixed(), None, things, torch.tensor([2, 4])), (50.0, 50.0))


if __name__ == "__main__":
    unittest.main()
