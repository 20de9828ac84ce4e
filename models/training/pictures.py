"""The things Wren can name and draw: Noto Color Emoji, rendered as small pictures with an alpha channel.

    sprite = render("violin", 28)      float32 [28, 28, 4], RGB and alpha in [0, 1], cropped to what is painted

Font: Debian's `fonts-noto-color-emoji`, SIL Open Font License 1.1; pictures made with a font are not covered by its
licence. Rendering needs `python3-pil`.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
_STRIKE = 109  # the one size its bitmaps have
_CANVAS = 160

# Name as people say it -> character.
OBJECTS = {
    # animals
    "dog": "🐕", "cat": "🐈", "mouse": "🐁", "rabbit": "🐇", "fox": "🦊", "bear": "🐻", "panda": "🐼", "koala": "🐨",
    "tiger": "🐅", "lion": "🦁", "cow": "🐄", "pig": "🐖", "frog": "🐸", "monkey": "🐒", "chicken": "🐔", "penguin": "🐧",
    "bird": "🐦", "duck": "🦆", "eagle": "🦅", "owl": "🦉", "bat": "🦇", "wolf": "🐺", "horse": "🐎", "unicorn": "🦄",
    "bee": "🐝", "caterpillar": "🐛", "butterfly": "🦋", "snail": "🐌", "ladybug": "🐞", "ant": "🐜", "spider": "🕷️",
    "scorpion": "🦂", "turtle": "🐢", "snake": "🐍", "lizard": "🦎", "dinosaur": "🦕", "octopus": "🐙", "squid": "🦑",
    "shrimp": "🦐", "crab": "🦀", "fish": "🐟", "dolphin": "🐬", "whale": "🐳", "shark": "🦈", "crocodile": "🐊",
    "leopard": "🐆", "zebra": "🦓", "gorilla": "🦍", "elephant": "🐘", "rhinoceros": "🦏", "camel": "🐪", "giraffe": "🦒",
    "kangaroo": "🦘", "ram": "🐏", "sheep": "🐑", "goat": "🐐", "deer": "🦌", "rooster": "🐓", "turkey": "🦃",
    "peacock": "🦚", "parrot": "🦜", "swan": "🦢", "hedgehog": "🦔", "squirrel": "🐿️", "raccoon": "🦝", "dragon": "🐉",
    "otter": "🦦", "sloth": "🦥", "skunk": "🦨", "flamingo": "🦩", "lobster": "🦞", "mosquito": "🦟", "snowman": "⛄",
    # plants and food
    "cactus": "🌵", "christmas tree": "🎄", "pine tree": "🌲", "tree": "🌳", "palm tree": "🌴", "clover": "🍀", "leaf": "🍁",
    "mushroom": "🍄", "flower": "🌼", "rose": "🌹", "tulip": "🌷", "sunflower": "🌻", "apple": "🍎", "pear": "🍐",
    "orange": "🍊", "lemon": "🍋", "banana": "🍌", "watermelon": "🍉", "grapes": "🍇", "strawberry": "🍓", "cherry": "🍒",
    "peach": "🍑", "mango": "🥭", "pineapple": "🍍", "coconut": "🥥", "kiwi": "🥝", "tomato": "🍅", "eggplant": "🍆",
    "avocado": "🥑", "broccoli": "🥦", "cucumber": "🥒", "pepper": "🌶️", "corn": "🌽", "carrot": "🥕", "potato": "🥔",
    "garlic": "🧄", "onion": "🧅", "peanut": "🥜", "bread": "🍞", "croissant": "🥐", "pretzel": "🥨", "pancakes": "🥞",
    "cheese": "🧀", "egg": "🥚", "hamburger": "🍔", "pizza": "🍕", "hot dog": "🌭", "sandwich": "🥪", "taco": "🌮",
    "popcorn": "🍿", "ice cream": "🍦", "doughnut": "🍩", "cookie": "🍪", "cake": "🎂", "cupcake": "🧁", "pie": "🥧",
    "chocolate": "🍫", "candy": "🍬", "lollipop": "🍭", "honey": "🍯", "milk": "🥛", "coffee": "☕", "tea": "🍵",
    "wine": "🍷", "beer": "🍺", "salad": "🥗", "noodles": "🍜", "rice": "🍚", "spoon": "🥄",
    # things
    "watch": "⌚", "phone": "📱", "computer": "💻", "keyboard": "⌨️", "printer": "🖨️", "camera": "📷", "television": "📺",
    "radio": "📻", "clock": "🕐", "alarm clock": "⏰", "hourglass": "⌛", "battery": "🔋", "plug": "🔌", "light bulb": "💡",
    "flashlight": "🔦", "candle": "🕯️", "hammer": "🔨", "axe": "🪓", "wrench": "🔧", "screwdriver": "🪛", "saw": "🪚",
    "gear": "⚙️", "chain": "⛓️", "magnet": "🧲", "bomb": "💣", "knife": "🔪", "shield": "🛡️", "telescope": "🔭",
    "microscope": "🔬", "pill": "💊", "thermometer": "🌡️", "broom": "🧹", "basket": "🧺", "bell": "🔔", "key": "🔑",
    "door": "🚪", "bed": "🛏️", "sofa": "🛋️", "chair": "🪑", "toilet": "🚽", "shower": "🚿", "bathtub": "🛁", "soap": "🧼",
    "toothbrush": "🪥", "sponge": "🧽", "bucket": "🪣", "teddy bear": "🧸", "balloon": "🎈", "gift": "🎁", "envelope": "✉️",
    "mailbox": "📫", "book": "📕", "newspaper": "📰", "pencil": "✏️", "pen": "🖊️", "paintbrush": "🖌️", "crayon": "🖍️",
    "scissors": "✂️", "paperclip": "📎", "ruler": "📏", "lock": "🔒", "umbrella": "☂️", "backpack": "🎒", "glasses": "👓",
    "sunglasses": "🕶️", "shirt": "👕", "trousers": "👖", "dress": "👗", "scarf": "🧣", "gloves": "🧤", "coat": "🧥",
    "socks": "🧦", "hat": "👒", "cap": "🧢", "crown": "👑", "shoe": "👞", "boot": "👢", "ring": "💍", "diamond": "💎",
    "lipstick": "💄", "handbag": "👜", "guitar": "🎸", "violin": "🎻", "trumpet": "🎺", "drum": "🥁", "piano": "🎹",
    "saxophone": "🎷", "microphone": "🎤", "headphones": "🎧", "ball": "⚽", "basketball": "🏀", "football": "🏈",
    "tennis ball": "🎾", "trophy": "🏆", "medal": "🏅", "dice": "🎲", "kite": "🪁", "yo yo": "🪀", "anchor": "⚓",
    # vehicles and places
    "car": "🚗", "taxi": "🚕", "bus": "🚌", "truck": "🚚", "tractor": "🚜", "bicycle": "🚲", "motorcycle": "🏍️",
    "scooter": "🛴", "train": "🚂", "airplane": "✈️", "helicopter": "🚁", "rocket": "🚀", "ship": "🚢", "sailboat": "⛵",
    "ambulance": "🚑", "fire engine": "🚒", "house": "🏠", "church": "⛪", "castle": "🏰", "tent": "⛺", "bridge": "🌉",
    "mountain": "⛰️", "volcano": "🌋", "traffic light": "🚦",
    # sky and signs
    "sun": "☀️", "moon": "🌙", "star": "⭐", "cloud": "☁️", "rainbow": "🌈", "lightning": "⚡", "snowflake": "❄️", "fire": "🔥",
    "drop": "💧", "wave": "🌊", "heart": "❤️", "globe": "🌍", "ghost": "👻", "robot": "🤖", "skull": "💀", "eye": "👁️",
    "ear": "👂", "nose": "👃", "mouth": "👄", "foot": "🦶", "tooth": "🦷", "bone": "🦴", "brain": "🧠",
}


@functools.lru_cache(maxsize=None)
def _large(name):
    """RGBA uint8 of the character, cropped to what is painted and put in the middle of a square."""
    image = Image.new("RGBA", (_CANVAS, _CANVAS), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.text((8, 8), OBJECTS[name], font=_font(), embedded_color=True)
    box = image.getchannel("A").getbbox()
    if box is None:
        raise ValueError(f"{FONT} has no picture of {name!r}")
    cropped = image.crop(box)
    side = max(cropped.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(cropped, ((side - cropped.width) // 2, (side - cropped.height) // 2))
    return square


@functools.lru_cache(maxsize=None)
def _font():
    return ImageFont.truetype(FONT, _STRIKE)


def render(name, size, degrees=0.0, mirrored=False):
    """float32 [size, size, 4], RGB and alpha in [0, 1]; turned by `degrees` counterclockwise within the same square."""
    image = _large(name)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # Colour times alpha, or the transparent pixels' black would bleed into the edges.
    values = np.asarray(image, np.float32) / 255
    values[..., :3] *= values[..., 3:]
    planes = [Image.fromarray(values[..., c]) for c in range(4)]
    if degrees:
        planes = [p.rotate(degrees, Image.Resampling.BILINEAR) for p in planes]
    planes = [np.asarray(p.resize((size, size), Image.Resampling.BOX if size < image.width else Image.Resampling.BILINEAR))
              for p in planes]
    out = np.stack(planes, -1)
    out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return np.clip(out, 0, 1)


def paste(picture, sprite, left, top):
    """Paints the sprite over float32 picture [H, W, 3], in place; what lies outside is cut."""
    height, width = picture.shape[:2]
    rows = slice(max(0, top), min(height, top + sprite.shape[0]))
    columns = slice(max(0, left), min(width, left + sprite.shape[1]))
    part = sprite[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    alpha = part[..., 3:]
    picture[rows, columns] = picture[rows, columns] * (1 - alpha) + part[..., :3] * alpha
