"""What helps Wren learn to speak and hear, and is gone when it can: questions that training asks beside the codes.

A text piece is one opaque symbol and a frame's first code one of a thousand. Without help the model learns the sound of
whole sentences by heart and garbles what it never said. So it is also asked

    how a word sounds     the phonemes of a word, half-way up the backbone: of the position that reads its last piece
                          before it is said, and of the position that writes its first piece after it was heard;
    where it is           at every spoken frame, the piece with which the word begins that the frame belongs to;
    what it says there    at every spoken frame, the phonemes of this frame and of the next, four labels each;
    what it sees there    half-way up the backbone, at every code of a picture that is shown, the thing it is a part of;
    what it draws there   likewise, where a code of a picture is written.

Sounds and times come from the synthesisers (dataset.py), places of things from the scenes (picture_shards.py). One
read-out is of use ever after and is exported: where it is. It tells the runtime which words of an answer that is
interrupted the user has heard.
"""

import torch
from torch import nn

from language.skills import nouns

PHONEMES = 40  # phonemes.CLASSES, silence included
SUBFRAMES = 4  # labels of 20 ms in a frame
DELAY = 0.04  # a code describes what was said so long before: the labels agree with the codec's
FRAME_SECONDS = 0.08
AHEAD = 2  # frames whose phonemes are asked for
LONGEST_WORD = 12  # phonemes of a word that are asked for; an end mark follows a shorter one
END_OF_WORD = PHONEMES
NOTHING = -1
THINGS = len(nouns.NAMES)
NO_THING = THINGS  # the background
PRONUNCIATION_LAYER = 4  # blocks below the position where words are asked for their sound
PHONEME_WEIGHT, PLACE_WEIGHT, PRONUNCIATION_WEIGHT = 0.3, 0.15, 0.2
THING_WEIGHT = 0.3


class Lessons(nn.Module):
    """The read-outs. `generator` draws their first values."""

    def __init__(self, width, vocab_size, generator):
        super().__init__()
        matrix = lambda rows: nn.Parameter(torch.randn(rows, width, generator=generator) * 0.3 * width**-0.5)
        self.phonemes = matrix(AHEAD * SUBFRAMES * PHONEMES)
        self.place = matrix(vocab_size)
        self.pronunciation = matrix(LONGEST_WORD * (PHONEMES + 1))
        self.seen = matrix(THINGS + 1)
        self.drawn = matrix(THINGS + 1)

    def speaking(self, h, phonemes, place):
        """h [N, width] of spoken frames; phonemes [N, AHEAD * SUBFRAMES], place [N], NOTHING where unknown
        -> (loss, {name: (per-row losses, hits)})."""
        known = place >= 0
        if not bool(known.any()):
            return 0.0, {}
        h, phonemes, place = h[known], phonemes[known], place[known]
        sounds, sound_losses = _classify(h @ self.phonemes.t(), phonemes, PHONEMES)
        places, place_losses = _classify(h @ self.place.t(), place[:, None], self.place.shape[0])
        loss = PHONEME_WEIGHT * sound_losses.mean() + PLACE_WEIGHT * place_losses.mean()
        return loss, {"phonemes": (sound_losses, sounds), "place": (place_losses, places)}

    def words(self, middle, phonemes):
        """middle [N, width] of positions that know a whole word; phonemes [N, LONGEST_WORD]."""
        hits, losses = _classify(middle @ self.pronunciation.t(), phonemes, PHONEMES + 1)
        return PRONUNCIATION_WEIGHT * losses.mean(), {"pronunciation": (losses, hits)}


    def things(self, name, middle, labels):
        """name: "seen" or "drawn"; middle [N, width] of positions that read, or write, the code of a picture; labels [N].
        What is noted leaves the background out, which is easy."""
        hits, losses = _classify(middle @ getattr(self, name).t(), labels, THINGS + 1)
        things = labels != NO_THING
        return THING_WEIGHT * losses.mean(), {name + "_thing": (losses[things], hits[things])}


def _classify(logits, targets, classes):
    """-> (hits, losses) of the targets that are known."""
    logits, targets = logits.reshape(-1, classes), targets.reshape(-1)
    losses = nn.functional.cross_entropy(logits, targets, ignore_index=NOTHING, reduction="none")
    known = targets != NOTHING
    return (logits.detach().argmax(-1) == targets).float()[known], losses[known]


# --- labels of a rendering

def frame_phonemes(phones, frames):
    """-> [frames + AHEAD - 1][SUBFRAMES] classes, delayed as the codes are."""
    labels, at = [], 0
    for n in range((frames + AHEAD - 1) * SUBFRAMES):
        time = (n + 0.75) * FRAME_SECONDS / SUBFRAMES - DELAY
        while at < len(phones) - 1 and phones[at][1] <= time:
            at += 1
        inside = phones[at][0] <= time < phones[at][1]
        labels.append(phones[at][2] if inside else 0)
    return [labels[i * SUBFRAMES : (i + 1) * SUBFRAMES] for i in range(frames + AHEAD - 1)]


def frame_words(words, frames):
    """-> the index of the word each frame belongs to; silence goes with the word that follows."""
    found, at = [], 0
    for n in range(frames):
        time = (n + 0.5) * FRAME_SECONDS - DELAY
        while at < len(words) - 1 and words[at][1] <= time:
            at += 1
        found.append(at)
    return found


def word_phonemes(words, phones):
    """-> for each word LONGEST_WORD classes: its phonemes, an end mark, NOTHING."""
    result = []
    for begin, end in words:
        inside = [p for b, e, p in phones if p != 0 and begin <= (b + e) / 2 < end][:LONGEST_WORD]
        if len(inside) < LONGEST_WORD:
            inside.append(END_OF_WORD)
        result.append(inside + [NOTHING] * (LONGEST_WORD - len(inside)))
    return result
