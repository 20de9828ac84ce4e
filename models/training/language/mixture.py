"""What a training step is made of: typed conversations from the grammar, and spoken ones from the recorded shards."""

import random

import numpy as np

import grammar
import sequences


class TypedSource:
    """Endless typed conversations. A third of the questions imitates a transcript: spoken wording, pads between."""

    def __init__(self, tokenizer, codebook_sizes, seed):
        self.tokenizer, self.sizes = tokenizer, codebook_sizes
        self.rng = random.Random(f"typed {seed}")

    def add_question(self, builder, turn, rng):
        if rng.random() < 0.45:
            builder.typed_turn(self.tokenizer.encode(turn.question), rng)
        else:
            text = grammar.typed_form(rng, turn) if rng.random() < 0.8 else turn.question
            builder.typed_turn(self.tokenizer.encode(text))

    def dialogues(self):
        """One conversation, or several unrelated ones in a row: a session goes on for long."""
        rng = self.rng
        count = rng.choices((1, 2, 3), (82, 13, 5))[0]
        found = [grammar.sample_dialogue(rng, typed=True) for _ in range(count)]
        found.sort(key=lambda d: not d.fresh)
        return found[:1] + [d for d in found[1:] if not d.fresh]

    def draw(self):
        builder = sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))
        for dialogue in self.dialogues():
            if len(builder) > 1 and self.rng.random() < 0.15:
                builder.skip_positions(self.rng.randrange(600))
            for turn in dialogue.turns:
                self.add_question(builder, turn, self.rng)
                builder.written_answer(self.tokenizer.encode(turn.answer))
        return builder.build()


class Bucketed:
    """Draws sequences from `draw`, until they fill `positions` rows."""

    def __init__(self, draw, positions):
        self.draw, self.positions, self.left = draw, positions, None

    def next(self):
        chosen, rows = [], 0
        while True:
            sequence = self.left if self.left is not None else self.draw()
            self.left = None
            if chosen and rows + len(sequence) > self.positions:
                self.left = sequence
                return chosen
            chosen.append(sequence)
            rows += len(sequence)


def typed_answers(tokenizer, codebook_sizes, name, count):
    """A typed test set as sequences in which only the scored answers are targets."""
    out = []
    for dialogue in grammar.test_set(name, count):
        builder = sequences.SequenceBuilder(codebook_sizes)
        for index, turn in enumerate(dialogue.turns):
            builder.typed_turn(tokenizer.encode(turn.typed or turn.question))
            begin = len(builder)
            builder.written_answer(tokenizer.encode(turn.answer))
            if index not in dialogue.scored and len(dialogue.turns) > 1:
                continue
        sequence = builder.build()
        keep = sequence.target_at >= begin  # the last answer is the scored one
        for field in ("target_at", "target", "weight", "kind"):
            setattr(sequence, field, getattr(sequence, field)[keep])
        out.append(sequence)
    return out
