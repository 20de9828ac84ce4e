"""Turns conversations into training sequences, and sequences into packed batches.

The layout is the token stream the runtime speaks (docs/token_stream.md): a position reads the sum of the channels
present and writes a symbol and, where the answer is spoken, a frame. A `SequenceBuilder` is fed turn by turn and keeps
for every position what it reads; for those that are trained on, what they should write, of which kind, how much it
counts.
"""

import dataclasses
import math

import numpy as np
import torch

from language import kernels, lessons
from language.symbols import (
    ASSISTANT, BOS, CALL, CALL_END, END, FIRST_IMAGE_CODE, IMAGE, IMAGE_END, PAD, RESULT, RESULT_END, TOOLS, TOOLS_END, USER,
)

FRAME_SECONDS = 0.08
SPEECH_LEAD = 2

# Kinds of written symbols. Their losses are normalised group by group: with one common normaliser the two or three
# words that matter drown in pads.
HEAR_PAD, HEAR_WORD, HEAR_OVER, SPOKEN_TEXT, SPOKEN_PAD, TYPED_TEXT, DRAWN, SEEN_TEXT = range(8)
KIND_NAMES = ("hear_pad", "hear_word", "hear_over", "spoken_text", "spoken_pad", "typed_text", "drawn", "seen_text")
GROUPS = ((HEAR_PAD, HEAR_WORD, HEAR_OVER), (SPOKEN_TEXT, SPOKEN_PAD), (TYPED_TEXT,), (DRAWN,), (SEEN_TEXT,))
GROUP_WEIGHTS = (1.0, 1.0, 0.6, 0.5, 0.8)

PAD_WEIGHT = 0.12
PAUSE_WEIGHT = 0.5  # pads in a pause inside a question: taking the turn there is the worst mistake
ANSWER_PAD_WEIGHT = 0.1

# A transcript piece is due at the first position whose frame ends this long after its word; the end of the turn this
# long after the last word. One frame apart, so that the last word never competes with the end of the turn.
WORD_DELAY = 0.07
OVER_DELAY = 0.15


@dataclasses.dataclass
class Sequence:
    """One conversation as arrays; *_at are positions within it."""

    symbols: np.ndarray
    positions: np.ndarray
    heard_at: np.ndarray
    heard: np.ndarray  # [H, K], -1: masked
    spoken_at: np.ndarray
    spoken: np.ndarray  # [S, K]
    target_at: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    kind: np.ndarray
    depth_at: np.ndarray
    depth: np.ndarray  # [D, K], codebook 0 may be end of audio
    sounds: np.ndarray  # [D, lessons.AHEAD * lessons.SUBFRAMES] phonemes of these frames, -1: unknown
    place: np.ndarray  # [D] first piece of the word that is said, -1: unknown
    word_at: np.ndarray  # positions that read the last piece of a word to say, or have just heard a word
    word_sounds: np.ndarray  # [W, lessons.LONGEST_WORD]
    seen_at: np.ndarray  # positions that read a code of a picture
    seen: np.ndarray  # what that code is a part of (picture_shards.things_of)
    drawn_at: np.ndarray  # positions that write one
    drawn: np.ndarray

    def __len__(self):
        return len(self.symbols)


def frame_after(seconds):
    """Index of the first frame that ends at `seconds` or later."""
    return max(0, math.ceil(seconds / FRAME_SECONDS - 1e-6) - 1)


@dataclasses.dataclass
class SpeechLabels:
    """What lessons.py asks about a spoken answer."""

    sounds: list  # per frame, lessons.AHEAD * lessons.SUBFRAMES phonemes
    place: list  # per frame, a piece
    words: list  # (index of a word's last piece, its phonemes)


def speech_labels(word_pieces, rendering):
    """word_pieces: the pieces of each word; rendering: dataset.Rendering of the same text."""
    if len(word_pieces) != len(rendering.words):
        raise ValueError(f"{len(word_pieces)} words in the text, {len(rendering.words)} in its rendering")
    frames = len(rendering.codes)
    sounds = lessons.frame_phonemes(rendering.phones, frames)
    ahead = [sum(sounds[n : n + lessons.AHEAD], []) for n in range(frames)]
    place = [word_pieces[w][0] for w in lessons.frame_words(rendering.words, frames)]
    ends = np.cumsum([len(pieces) for pieces in word_pieces]) - 1
    return SpeechLabels(ahead, place, list(zip(ends.tolist(), lessons.word_phonemes(rendering.words, rendering.phones))))


@dataclasses.dataclass
class HeardPlan:
    pieces: dict  # frame -> piece
    over: int  # first frame at which the turn is over
    pauses: set  # frames in a pause inside the question
    words: dict  # frame at which a word's first piece is written -> index of the word


def plan_hearing(words, rng=None, late=0.12):
    """words: list of (pieces, begin seconds, end seconds) -> where the transcript and the end of the turn are written.

    With `rng` every eighth word comes one frame later, so that late histories are known.
    """
    due = []
    for index, (pieces, _, end) in enumerate(words):
        last_word = index == len(words) - 1
        delayed = rng is not None and rng.random() < (late / 2 if last_word else late)
        first = frame_after(end + WORD_DELAY) + (1 if delayed else 0)
        due += [(first + n, piece, index if n == 0 else None) for n, piece in enumerate(pieces)]
        over = frame_after(end + OVER_DELAY) + (1 if delayed and last_word else 0)
    placed, previous = [], -1
    for frame, piece, word in due:
        previous = max(frame, previous + 1)
        placed.append([previous, piece, word])
    limit = over - 1  # pieces that would come too late move forward in time, keeping their order
    for entry in reversed(placed):
        entry[0] = min(entry[0], limit)
        limit = entry[0] - 1
    if placed and placed[0][0] < 0:  # more pieces than frames: the end of the turn has to wait
        over -= placed[0][0]
        placed = [[frame - placed[0][0], piece, word] for frame, piece, word in placed]
        for n in range(1, len(placed)):
            placed[n][0] = max(placed[n][0], placed[n - 1][0] + 1)
        over = max(over, placed[-1][0] + 1)
    pauses = set()
    for (_, _, end), (_, begin, _) in zip(words, words[1:]):
        if begin - end > 0.12:
            pauses.update(range(frame_after(end + 0.06), frame_after(begin + 0.1)))
    begins = {frame: word for frame, _, word in placed if word is not None}
    return HeardPlan({frame: piece for frame, piece, _ in placed}, over, pauses, begins)


def picture_symbols(codes):
    """What stands in the symbol channel for a picture."""
    return [IMAGE, *(FIRST_IMAGE_CODE + int(code) for code in codes), IMAGE_END]


class SequenceBuilder:
    def __init__(self, codebook_sizes, first_position=0):
        self.sizes = list(codebook_sizes)
        self.end_of_audio = self.sizes[0]
        self._symbols, self._positions, self._next = [], [], first_position
        self._heard, self._spoken, self._targets, self._depth = [], [], [], []
        self._sounds, self._place, self._words = [], [], []
        self._seen, self._drawn = [], []
        self._in_turn = False
        self._read(BOS)

    def __len__(self):
        return len(self._symbols)

    def _read(self, symbol, heard=None, spoken=None):
        at = len(self._symbols)
        self._symbols.append(symbol)
        self._positions.append(self._next)
        self._next += 1
        if heard is not None:
            self._heard.append((at, heard))
        if spoken is not None:
            self._spoken.append((at, spoken))
        return at

    def skip_positions(self, count):
        """Leaves a hole in the positions, as if much had been said in between."""
        self._next += count

    def _open_turn(self):
        """-> True if the turn was open already: its `<user>` has been read."""
        was_open, self._in_turn = self._in_turn, True
        return was_open

    def _enclosed(self, begin, pieces, end):
        if not self._open_turn():
            self._read(USER)
        for symbol in (begin, *pieces, end):
            self._read(symbol)

    def declare(self, pieces):
        """Signatures of the functions that may be called from now on, before anything else of the user's turn."""
        self._enclosed(TOOLS, pieces, TOOLS_END)

    def result(self, pieces):
        """What a function returned: the whole of a user's turn, or a part of it."""
        self._enclosed(RESULT, pieces, RESULT_END)

    def show(self, codes, things=()):
        """A picture of the user's turn, before or after what is typed and before what is heard; things: what each code is a
        part of, if known."""
        if not self._open_turn():
            self._read(USER)
        first = len(self._symbols) + 1
        for symbol in picture_symbols(codes):
            self._read(symbol)
        self._seen += [(first + n, thing) for n, thing in enumerate(things)]

    def heard_turn(self, frames, plan, extra=0, sounds=None):
        """frames [n, K] (possibly with masked codes); the turn ends `extra` frames after it could have; sounds: phonemes
        of each word, if known. -> True if the frames reach the end of the turn."""
        over, last = plan.over, min(plan.over + extra, len(frames) - 1)
        if last < over:
            return False
        symbol = PAD if self._open_turn() else USER
        for frame in range(last + 1):
            at = self._read(symbol, heard=frames[frame])
            if sounds is not None and frame in plan.words:
                self._words.append((at, sounds[plan.words[frame]]))
            if frame >= over:
                weight = 1.0 if frame == over or extra == 0 else 0.5
                self._targets.append((at, ASSISTANT, weight, HEAR_OVER))
                symbol = PAD
            elif frame in plan.pieces:
                symbol = plan.pieces[frame]
                self._targets.append((at, symbol, 1.0, HEAR_WORD))
            else:
                symbol = PAD
                weight = PAUSE_WEIGHT if frame in plan.pauses else PAD_WEIGHT
                self._targets.append((at, PAD, weight, HEAR_PAD))
        return True

    def typed_turn(self, pieces, rng=None):
        """With `rng`, pads between the pieces imitate the transcript of a spoken question."""
        if not self._open_turn():
            self._read(USER)
        if rng is None:
            for piece in pieces:
                self._read(piece)
            return
        pace = rng.choice((1, 2, 3, 4))
        for _ in range(rng.randint(2, 9)):
            self._read(PAD)
        for piece in pieces:
            self._read(piece)
            for _ in range(rng.randint(max(0, pace - 2), pace + 1)):
                self._read(PAD)

    def written_answer(self, pieces, drawn=None, things=(), kind=TYPED_TEXT, call=()):
        """drawn: codes of the picture that follows the text; things: what each is a part of, if known; call: pieces of the
        function that is called then."""
        self._begin_answer(pieces, things)
        symbol = ASSISTANT
        for piece in [*pieces, *self._picture(drawn), *self._call(call), END]:
            at = self._read(symbol)
            self._targets.append((at, piece, 1.0, self._kind(piece, kind)))
            symbol = piece
        self._read(END)  # its output is not used

    def _begin_answer(self, pieces, things):
        self._in_turn = False
        first = len(self._symbols) + len(pieces) + 1  # reads `<image>` and writes the first code
        self._drawn += [(first + n, thing) for n, thing in enumerate(things)]

    @staticmethod
    def _picture(drawn):
        return [] if drawn is None else picture_symbols(drawn)

    @staticmethod
    def _call(pieces):
        return [CALL, *pieces, CALL_END] if pieces else []

    @staticmethod
    def _kind(symbol, text):
        # That a picture begins is decided as words are; what is in it is counted by itself, or it would drown them.
        return DRAWN if symbol >= FIRST_IMAGE_CODE or symbol == IMAGE_END else text

    def spoken_answer(self, pieces, codes, history=None, labels=None, drawn=None, things=(), call=()):
        """codes [n, K]: the frames to say; history: the frames read back (codes with noise), default the same; labels:
        SpeechLabels, if known; drawn, things, call: what follows the text while the voice goes on, as in written_answer."""
        self._begin_answer(pieces, things)
        history = codes if history is None else history
        begin = len(self._symbols) + 1  # the position that reads the first piece
        self._words += [(begin + index, sounds) for index, sounds in labels.words] if labels else []
        text = [*pieces, *self._picture(drawn), *self._call(call), END]
        count = len(codes)
        symbol = ASSISTANT
        for j in range(max(len(text), SPEECH_LEAD + count + 1)):
            spoken = history[j - SPEECH_LEAD - 1] if SPEECH_LEAD < j <= SPEECH_LEAD + count else None
            at = self._read(symbol, spoken=spoken)
            symbol = text[j] if j < len(text) else PAD
            if j >= len(text):
                self._targets.append((at, PAD, ANSWER_PAD_WEIGHT, SPOKEN_PAD))
            else:
                self._targets.append((at, symbol, 1.0, self._kind(symbol, SPOKEN_TEXT)))
            if SPEECH_LEAD <= j < SPEECH_LEAD + count:
                self._depth.append((at, codes[j - SPEECH_LEAD]))
                self._label(labels, j - SPEECH_LEAD)
            elif j == SPEECH_LEAD + count:
                self._depth.append((at, [self.end_of_audio] + [0] * (len(self.sizes) - 1)))
                self._label(None, 0)

    def cut_answer(self, pieces, history):
        """An answer that ended early for the user: the pieces of the words heard, and as many frames. Nothing in it is
        trained on."""
        self._in_turn = False
        symbols = [ASSISTANT, *pieces, END]
        for j in range(max(len(symbols), SPEECH_LEAD + 1 + len(history))):
            frame = j - SPEECH_LEAD - 1
            self._read(symbols[j] if j < len(symbols) else PAD, spoken=history[frame] if 0 <= frame < len(history) else None)

    def _label(self, labels, frame):
        unknown = [lessons.NOTHING] * (lessons.AHEAD * lessons.SUBFRAMES)
        self._sounds.append(labels.sounds[frame] if labels else unknown)
        self._place.append(labels.place[frame] if labels else lessons.NOTHING)

    def build(self):
        count = len(self.sizes)
        ints = lambda values: np.array(values, dtype=np.int64)
        frames = lambda pairs: ints([list(f) for _, f in pairs]).reshape(len(pairs), count)
        column = lambda rows, n: [row[n] for row in rows]
        return Sequence(
            ints(self._symbols),
            np.array(self._positions, dtype=np.int32),
            ints(column(self._heard, 0)),
            frames(self._heard),
            ints(column(self._spoken, 0)),
            frames(self._spoken),
            ints(column(self._targets, 0)),
            ints(column(self._targets, 1)),
            np.array(column(self._targets, 2), dtype=np.float32),
            ints(column(self._targets, 3)),
            ints(column(self._depth, 0)),
            frames(self._depth),
            ints(self._sounds).reshape(len(self._sounds), lessons.AHEAD * lessons.SUBFRAMES),
            ints(self._place),
            ints(column(self._words, 0)),
            ints(column(self._words, 1)).reshape(len(self._words), lessons.LONGEST_WORD),
            ints(column(self._seen, 0)),
            ints(column(self._seen, 1)),
            ints(column(self._drawn, 0)),
            ints(column(self._drawn, 1)),
        )


def spoil_heard(frames, sizes, rng):
    """A copy of heard codes [n, K] with a few masks and errors; rng: numpy Generator. -1 means masked.

    Few, because the waves are augmented already and no run here is long enough to overfit: with three times as many the
    words were learnt markedly slower.
    """
    frames = np.array(frames, dtype=np.int64)
    draw = rng.random(frames.shape)
    wrong = (rng.random(frames.shape) * np.array(sizes)).astype(np.int64)
    frames[draw > 0.99] = wrong[draw > 0.99]
    frames[draw < 0.015] = -1
    frames[rng.random(len(frames)) < 0.01] = -1
    if rng.random() < 0.05:  # sometimes only the first codebooks are there
        frames[:, rng.integers(1, frames.shape[1]) :] = -1
    return frames


def spoil_spoken(codes, sizes, rng, share=0.03, acoustic_shares=(0.03, 0.03, 0.3, 0.9)):
    """A copy of the spoken history in which some codes are wrong. Of the acoustic ones often many: which of them come
    next is hardly to be known, so what the model reads back when it speaks by itself is not what was recorded."""
    codes = np.array(codes, dtype=np.int64)
    wrong = (rng.random(codes.shape) * np.array(sizes)).astype(np.int64)
    shares = np.full(codes.shape[1], acoustic_shares[rng.integers(len(acoustic_shares))])
    shares[0] = share
    return np.where(rng.random(codes.shape) < shares, wrong, codes)


@dataclasses.dataclass
class Batch:
    """Packed sequences as tensors; *_rows index the packed rows."""

    symbols: torch.Tensor
    packing: kernels.Packing
    heard_rows: torch.Tensor
    heard: torch.Tensor
    spoken_rows: torch.Tensor
    spoken: torch.Tensor
    target_rows: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    kind: torch.Tensor
    depth_rows: torch.Tensor
    depth: torch.Tensor
    sounds: torch.Tensor
    place: torch.Tensor
    word_rows: torch.Tensor
    word_sounds: torch.Tensor
    seen_rows: torch.Tensor
    seen: torch.Tensor
    drawn_rows: torch.Tensor
    drawn: torch.Tensor


def pack(sequences, end_of_audio, depth_share=1.0, pad_share=1.0, rng=None):
    """Lays sequences one behind the other. Of the spoken frames `depth_share` are trained on (the end of the audio
    always), of the pads `pad_share`, with their weight raised accordingly."""
    starts = [0]
    for s in sequences:
        starts.append(starts[-1] + len(s))
    joined = lambda name: torch.from_numpy(np.concatenate([getattr(s, name) for s in sequences]))
    rows = lambda name: torch.from_numpy(np.concatenate([getattr(s, name) + a for s, a in zip(sequences, starts)]))
    batch = Batch(
        joined("symbols"),
        kernels.Packing(starts, joined("positions")),
        rows("heard_at"),
        joined("heard"),
        rows("spoken_at"),
        joined("spoken"),
        rows("target_at"),
        joined("target"),
        joined("weight"),
        joined("kind"),
        rows("depth_at"),
        joined("depth"),
        joined("sounds"),
        joined("place"),
        rows("word_at"),
        joined("word_sounds"),
        rows("seen_at"),
        joined("seen"),
        rows("drawn_at"),
        joined("drawn"),
    )
    if depth_share < 1.0 and len(batch.depth):
        keep = torch.from_numpy(rng.random(len(batch.depth)) < depth_share) | (batch.depth[:, 0] == end_of_audio)
        for name in ("depth_rows", "depth", "sounds", "place"):
            setattr(batch, name, getattr(batch, name)[keep])
    if pad_share < 1.0:
        pads = (batch.kind == HEAR_PAD) | (batch.kind == SPOKEN_PAD)
        keep = torch.from_numpy(rng.random(len(pads)) < pad_share) | ~pads
        batch.weight = torch.where(pads, batch.weight / pad_share, batch.weight)
        for name in ("target_rows", "target", "weight", "kind"):
            setattr(batch, name, getattr(batch, name)[keep])
    return batch
