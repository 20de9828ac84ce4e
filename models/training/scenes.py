"""Small scenes of named things on coloured backgrounds: what Wren learns to see and to draw.

    scene = random_scene(rng)            rng: random.Random; the same state gives the same scene
    picture = draw(scene)                float32 [SIDE, SIDE, 3] in [0, 1]
    picture = clutter(rng)               shapes without a name, so that a codec does not only know emoji

A scene is a value: what it shows can be told from it (`things`, `background`), and it can be drawn again with one thing
or the background changed.
"""

import dataclasses
import math

import numpy as np
from PIL import Image, ImageDraw

import pictures

SIDE = 64

# Backgrounds: name -> RGB. Shades, gradients and textures stay within reach of the name.
COLOURS = {
    "red": (0.80, 0.13, 0.13), "orange": (0.96, 0.55, 0.12), "yellow": (0.97, 0.86, 0.25), "green": (0.20, 0.62, 0.25),
    "blue": (0.16, 0.36, 0.80), "purple": (0.50, 0.22, 0.66), "pink": (0.97, 0.60, 0.75), "brown": (0.47, 0.30, 0.17),
    "black": (0.07, 0.07, 0.08), "white": (0.96, 0.96, 0.96), "gray": (0.52, 0.53, 0.55),
}
KINDS = ("plain", "gradient", "stripes", "checks", "grain")
_KIND_SHARES = (40, 25, 12, 8, 15)
_SHADE = 0.07  # how far a texture goes to either side of its colour
_JITTER = 0.03  # of the colour itself


@dataclasses.dataclass(frozen=True)
class Thing:
    name: str  # of pictures.OBJECTS
    x: float  # middle, in pixels from the left
    y: float  # middle, from the top
    size: int
    degrees: float = 0.0
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Background:
    colour: str
    kind: str = "plain"
    seed: int | None = 0  # of shade, direction and texture; None: exactly the colour


@dataclasses.dataclass(frozen=True)
class Scene:
    background: Background
    things: tuple  # in the order they are painted


def scene_of(values):
    """The scene whose dataclasses.asdict these are."""
    return Scene(Background(**values["background"]), tuple(Thing(**thing) for thing in values["things"]))


def random_background(rng, colour=None):
    kind = rng.choices(KINDS, _KIND_SHARES)[0]
    return Background(colour or rng.choice(list(COLOURS)), kind, rng.getrandbits(30))


# For so many things: the columns and rows of the middles, and the range of sizes.
_LAYOUTS = {
    1: (((0.5, 0.5),), (34, 56)),
    2: (((0.27, 0.5), (0.73, 0.5)), (24, 32)),
    3: (((0.27, 0.29), (0.73, 0.29), (0.5, 0.74)), (22, 29)),
    4: (((0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)), (21, 28)),
}


def _places(rng, count):
    """Middles of `count` things, as shares of the side: a layout that may be turned upside down or on its side."""
    places, sizes = _LAYOUTS[count]
    if count == 2 and rng.random() < 0.5:
        places = tuple((y, x) for x, y in places)
    if count == 3 and rng.random() < 0.5:
        places = tuple((x, 1 - y) for x, y in places)
    return places, sizes


def random_scene(rng, names=None, background=None):
    """names: what it shows, one to four of pictures.OBJECTS, left to right and top to bottom; default random, different
    ones."""
    if names is None:
        names = rng.sample(list(pictures.OBJECTS), rng.choices((1, 2, 3, 4), (40, 30, 18, 12))[0])
    places, (smallest, largest) = _places(rng, len(names))
    things = []
    for name, (x, y) in zip(names, places):
        size = rng.randint(smallest, largest)
        room = (SIDE - size) / 2 if len(names) == 1 else 2.5
        degrees = rng.gauss(0, 8) if rng.random() < 0.6 else 0.0
        things.append(Thing(name, x * SIDE + rng.uniform(-room, room), y * SIDE + rng.uniform(-room, room), size,
                            max(-20.0, min(20.0, degrees)), rng.random() < 0.3))
    return Scene(background or random_background(rng), tuple(things))


# Likewise for what is drawn. Middles are whole quarters and one size serves two things and more, so that a codec whose
# codes stand for 8 or 16 pixels sees the same picture of a thing wherever it stands.
_ARRANGED = {
    1: (((0.5, 0.5),), 48),
    2: (((0.25, 0.5), (0.75, 0.5)), 30),
    3: (((0.25, 0.25), (0.75, 0.25), (0.5, 0.75)), 30),
    4: (((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)), 30),
}


def arranged(names, colour):
    """The one picture that answers a request to draw these one to four things: upright, in their places, on exactly this
    colour. Nothing about it is left to chance, so that the likeliest codes are a picture."""
    places, size = _ARRANGED[len(names)]
    things = tuple(Thing(name, x * SIDE, y * SIDE, size) for name, (x, y) in zip(names, places))
    return Scene(Background(colour, "plain", None), things)


def paint_background(background):
    """float32 [SIDE, SIDE, 3]."""
    if background.seed is None:
        return np.tile(np.array(COLOURS[background.colour], np.float32), (SIDE, SIDE, 1))
    noise = np.random.default_rng(background.seed)
    colour = np.array(COLOURS[background.colour], np.float32) + noise.uniform(-_JITTER, _JITTER, 3).astype(np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    angle = noise.uniform(0, 2 * math.pi)
    along = (across * math.cos(angle) + down * math.sin(angle)) / math.sqrt(2)
    shade = np.zeros((SIDE, SIDE))
    if background.kind == "gradient":
        shade = 1.6 * along
    elif background.kind == "stripes":
        shade = np.sign(np.sin(along * math.pi * noise.uniform(3, 7)))
    elif background.kind == "checks":
        cell = int(noise.integers(6, 14))
        rows, columns = np.indices((SIDE, SIDE))
        shade = np.where((rows // cell + columns // cell) % 2 == 0, 1.0, -1.0)
    elif background.kind == "grain":
        small = noise.uniform(-1, 1, (SIDE // 4, SIDE // 4)).astype(np.float32)
        shade = np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    picture = colour + _SHADE * shade[..., None]
    return np.clip(picture, 0, 1).astype(np.float32)


def draw(scene):
    picture = paint_background(scene.background)
    for thing in scene.things:
        sprite = pictures.render(thing.name, thing.size, thing.degrees, thing.mirrored)
        pictures.paste(picture, sprite, round(thing.x - thing.size / 2), round(thing.y - thing.size / 2))
    return picture


def thing_of_cells(scene, grid):
    """int [grid, grid]: the index (in scene.things) of the thing that covers most of each cell, at least a quarter of it;
    -1: none does."""
    cell = SIDE // grid
    cover = np.zeros((len(scene.things) + 1, grid, grid), np.float32)
    cover[0] = 0.25
    for index, thing in enumerate(scene.things):
        mask = np.zeros((SIDE, SIDE, 3), np.float32)
        sprite = pictures.render(thing.name, thing.size, thing.degrees, thing.mirrored)
        white = np.concatenate([np.ones_like(sprite[..., :3]), sprite[..., 3:]], -1)
        pictures.paste(mask, white, round(thing.x - thing.size / 2), round(thing.y - thing.size / 2))
        cover[index + 1] = mask[..., 0].reshape(grid, cell, grid, cell).mean((1, 3))
    return cover.argmax(0) - 1


def clutter(rng):
    """Random shapes in random colours over a random background."""
    scale = 3  # drawn larger and shrunk: smooth edges
    picture = paint_background(random_background(rng))
    large = Image.fromarray((picture * 255).astype(np.uint8)).resize((SIDE * scale, SIDE * scale))
    canvas = ImageDraw.Draw(large)
    somewhere = lambda: rng.uniform(-0.1, 1.1) * SIDE * scale
    for _ in range(rng.randint(1, 9)):
        colour = tuple(rng.randrange(256) for _ in range(3))
        form = rng.randrange(4)
        if form == 0:
            (x, y), w, h = (somewhere(), somewhere()), rng.uniform(6, 120), rng.uniform(6, 120)
            canvas.ellipse((x - w / 2, y - h / 2, x + w / 2, y + h / 2), fill=colour)
        elif form == 1:
            x, y, radius = somewhere(), somewhere(), rng.uniform(10, 80)
            angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(rng.randint(3, 7)))
            canvas.polygon([(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles], fill=colour)
        elif form == 2:
            canvas.line((somewhere(), somewhere(), somewhere(), somewhere()), fill=colour, width=rng.randint(3, 16))
        else:
            x, y = somewhere(), somewhere()
            canvas.rectangle((x, y, x + rng.uniform(6, 110), y + rng.uniform(6, 110)), fill=colour)
    return np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
