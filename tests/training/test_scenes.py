"""Pictures show what their scenes say."""

import dataclasses
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "training"))

import numpy as np

import pictures
import scenes


class Pictures(unittest.TestCase):
    def test_every_object_has_a_picture_of_its_own(self):
        self.assertGreaterEqual(len(pictures.OBJECTS), 200)
        seen = {}
        for name in pictures.OBJECTS:
            sprite = pictures.render(name, 24)
            self.assertEqual(sprite.shape, (24, 24, 4))
            self.assertGreater(float((sprite[..., 3] > 0.5).mean()), 0.08, name)
            self.assertNotIn(sprite.tobytes(), seen, (name, seen.get(sprite.tobytes())))
            seen[sprite.tobytes()] = name

    def test_a_mirrored_picture_is_the_mirror_image(self):
        plain, mirrored = pictures.render("car", 32), pictures.render("car", 32, mirrored=True)
        self.assertLess(float(np.abs(mirrored - plain[:, ::-1]).mean()), 1e-3)  # but for rounding where pixels are halved
        self.assertGreater(float(np.abs(mirrored - plain).mean()), 1e-2)

    def test_what_lies_outside_is_cut(self):
        picture = np.zeros((10, 10, 3), np.float32)
        pictures.paste(picture, np.ones((6, 6, 4), np.float32), -3, 7)
        self.assertEqual(float(picture.sum()), 3 * 3 * 3)
        pictures.paste(picture, np.ones((6, 6, 4), np.float32), 20, 20)
        self.assertEqual(float(picture.sum()), 3 * 3 * 3)


class Scenes(unittest.TestCase):
    def test_seeds_decide_everything(self):
        one, two = (scenes.random_scene(random.Random(5)) for _ in range(2))
        self.assertEqual(one, two)
        np.testing.assert_array_equal(scenes.draw(one), scenes.draw(two))
        np.testing.assert_array_equal(scenes.clutter(random.Random(6)), scenes.clutter(random.Random(6)))

    def test_things_are_apart_and_inside(self):
        rng = random.Random(1)
        for _ in range(300):
            scene = scenes.random_scene(rng)
            for thing in scene.things:
                self.assertTrue(-4 <= thing.x - thing.size / 2 and thing.x + thing.size / 2 <= scenes.SIDE + 4, scene)
                self.assertTrue(-4 <= thing.y - thing.size / 2 and thing.y + thing.size / 2 <= scenes.SIDE + 4, scene)
                for other in scene.things:
                    apart = max(abs(thing.x - other.x), abs(thing.y - other.y))
                    self.assertTrue(thing is other or apart > 0.7 * max(thing.size, other.size), scene)

    def test_a_background_is_nearest_to_the_colour_it_is_named_after(self):
        names, values = list(scenes.COLOURS), np.array(list(scenes.COLOURS.values()))
        rng = random.Random(2)
        for _ in range(300):
            background = scenes.random_background(rng)
            mean = scenes.paint_background(background).mean((0, 1))
            self.assertEqual(names[np.abs(values - mean).sum(1).argmin()], background.colour, background)

    def test_the_things_asked_for_are_shown_in_their_order(self):
        scene = scenes.random_scene(random.Random(3), ["violin", "key", "sun"], scenes.Background("blue"))
        self.assertEqual([t.name for t in scene.things], ["violin", "key", "sun"])
        self.assertEqual(scene.background.colour, "blue")
        without = scenes.draw(scenes.Scene(scene.background, scene.things[:2]))
        changed = np.abs(scenes.draw(scene) - without).sum(2) > 0.05
        rows, columns = np.nonzero(changed)
        sun = scene.things[2]
        self.assertTrue(np.all(np.abs(columns - sun.x) <= sun.size / 2 + 1) and np.all(np.abs(rows - sun.y) <= sun.size / 2 + 1))

    def test_cells_know_their_thing(self):
        scene = scenes.arranged(["moon", "apple"], "green")
        cells = scenes.thing_of_cells(scene, 8)
        self.assertEqual(set(cells[:2].flatten()), {-1})
        self.assertLessEqual(set(cells[:, 1:4].flatten()), {-1, 0})
        self.assertLessEqual(set(cells[:, 4:].flatten()), {-1, 1})
        self.assertEqual(cells[4, 6], 1)  # the middle of the apple
        self.assertGreaterEqual((cells == 1).sum(), 7)

    def test_a_request_has_one_picture(self):
        drawn = [scenes.draw(scenes.arranged(["dog"] * n, "orange")) for n in (1, 2, 3, 4)]
        for count, picture in enumerate(drawn, 1):
            np.testing.assert_array_equal(picture, scenes.draw(scenes.arranged(["dog"] * count, "orange")))
            np.testing.assert_allclose(picture[0, 0], scenes.COLOURS["orange"], atol=1e-6)

    def test_a_scene_survives_being_written_down(self):
        scene = scenes.random_scene(random.Random(8))
        self.assertEqual(scenes.scene_of(json.loads(json.dumps(dataclasses.asdict(scene)))), scene)


if __name__ == "__main__":
    unittest.main()
