"""Typed conversations about pictures, with the codes of what is shown and drawn.

    python3 -m language.picture_shards --image-codec image_codec.pt --folder DIR --shards 8 [--part 0/2]

    pictures_0003.npz   load(path) -> list of conversations, each a list of turns: dicts with question, answer, skill, and
        where there are pictures `shown`, a list of lists of codes, and `drawn`, one list; `shown_things` and
        `drawn_things` likewise (things_of)
    scenes_0003.npz     pictures without words: codes, things int16 [N, 64], and the scenes as JSON (with --scenes)
    eval/naming.npz      the sets of grammar.PICTURE_SETS likewise, with `typed`; eval/naming_dev.npz for development
"""

import argparse
import dataclasses
import json
import os

import numpy as np
import torch

import scenes
from image_codec.export import load_codec
from image_codec.model import GRID
from language import grammar, lessons
from language.skills import nouns, seeing
from language.skills.common import rng_of

PER_SHARD = 4000  # conversations
EVALUATION, DEVELOPMENT = 400, 100  # questions a set


class PictureEncoder:
    """Scenes to codes, by the codec as it is exported."""

    def __init__(self, checkpoint, batch=16):
        self.codec, self.batch = load_codec(checkpoint), batch

    def encode(self, drawn):
        """drawn: list of scenes.Scene -> int16 [N, GRID * GRID]. Rounded to 8 bits first, as pictures arrive."""
        codes = []
        for begin in range(0, len(drawn), self.batch):
            pixels = np.stack([scenes.draw(scene) for scene in drawn[begin : begin + self.batch]])
            pixels = np.floor(pixels * 255 + 0.5) / 255
            codes.append(self.codec.encode(torch.from_numpy(pixels).float().permute(0, 3, 1, 2)).numpy())
        return np.concatenate(codes).astype(np.int16)


def parts_of(turn):
    """What a record of a grammar turn keeps beside its texts: its functions, its tone of voice, and its pictures, until they are codes
    (add_codes)."""
    found = {name: getattr(turn, name) for name in ("declared", "call", "result") if getattr(turn, name)}
    if "tone" in turn.facts:
        found["tone"] = turn.facts["tone"]
    if turn.shown:
        found["shown"] = [dataclasses.asdict(scene) for scene in turn.shown]
    if turn.drawn is not None:
        found["drawn"] = dataclasses.asdict(turn.drawn)
    return found


def things_of(scene):
    """For each code of the scene's picture, row by row, the thing it is a part of: its place in nouns.NAMES, or NO_THING."""
    names = [nouns.NAMES.index(thing.name) for thing in scene.things] + [lessons.NO_THING]
    return [names[index] for index in scenes.thing_of_cells(scene, GRID).flatten().tolist()]


def add_codes(records, encoder):
    """Puts codes in the place of the scenes in these records, and beside them what they are parts of."""
    wanted = [scene for record in records for scene in [*record.get("shown", ()), record.get("drawn")] if scene is not None]
    wanted = [scenes.scene_of(values) for values in wanted]
    codes = iter(encoder.encode(wanted).tolist() if wanted else ())
    things = iter([things_of(scene) for scene in wanted])
    for record in records:
        if "shown" in record:
            record["shown_things"] = [next(things) for _ in record["shown"]]
            record["shown"] = [next(codes) for _ in record["shown"]]
        if "drawn" in record:
            record["drawn_things"] = next(things)
            record["drawn"] = next(codes)


def write(path, seed, shard, encoder, count=PER_SHARD):
    rng = rng_of("pictures", seed, shard)
    _write(path, [grammar.sample_picture_dialogue(rng) for _ in range(count)], encoder)


def write_evaluation(folder, encoder, count=EVALUATION, development=DEVELOPMENT):
    os.makedirs(os.path.join(folder, "eval"), exist_ok=True)
    for name in grammar.PICTURE_SETS:
        for label, size in ((name, count), (name + "_dev", development)):
            _write(os.path.join(folder, "eval", label + ".npz"), grammar.picture_set(label, size), encoder)


def _write(path, dialogues, encoder):
    conversations = [[dict(parts_of(t), question=t.question, typed=t.typed, answer=t.answer, skill=t.skill) for t in d.turns]
                     for d in dialogues]
    add_codes([record for turns in conversations for record in turns], encoder)
    with open(path + ".part", "wb") as out:
        np.savez_compressed(out, conversations=np.array(json.dumps(conversations)))
    os.replace(path + ".part", path)


def write_scenes(path, seed, shard, encoder, count=PER_SHARD):
    rng = rng_of("scenes", seed, shard)
    drawn = [seeing.random_scene(rng) for _ in range(count)]
    with open(path + ".part", "wb") as out:
        np.savez(out, codes=encoder.encode(drawn), things=np.array([things_of(scene) for scene in drawn], np.int16),
                 scenes=np.array(json.dumps([dataclasses.asdict(scene) for scene in drawn])))
    os.replace(path + ".part", path)


def load(path):
    with np.load(path) as data:
        return json.loads(str(data["conversations"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--image-codec", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=0, help="shards of pictures without words")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="I/N: this is process I of N that share the shards")
    options = parser.parse_args()
    torch.set_num_threads(1)
    part, parts = map(int, options.part.split("/"))
    os.makedirs(options.folder, exist_ok=True)
    encoder = PictureEncoder(options.image_codec)
    if part == 0:
        write_evaluation(options.folder, encoder)
    for name, count, make in (("pictures", options.shards, write), ("scenes", options.scenes, write_scenes)):
        for shard in range(part, count, parts):
            path = os.path.join(options.folder, f"{name}_{shard:04d}.npz")
            if not os.path.exists(path):
                make(path, options.seed, shard, encoder)
                print(path, flush=True)


if __name__ == "__main__":
    main()
