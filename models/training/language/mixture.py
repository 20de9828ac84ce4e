"""What a training step is made of: typed conversations from the grammar, and spoken ones from the recorded shards."""

import glob
import json
import os
import random

import numpy as np

import scenes
from language import dataset, grammar, picture_shards, sequences
from language.skills import common, manner, memory, tone


def answer_pieces(tokenizer, text):
    """What the symbol channel writes for an answer."""
    control = manner.CONTROLS.get(text)
    return tokenizer.encode(text) + ([] if control is None else [control])


READ_ALOUD_SHARE = 0.65  # of what is spoken without having been heard
FAMILY_SHARE = 0.25  # of the typed conversations
FAMILIES = {"open_words": 4, "tools": 10, "tone": 1}
AFTER_CUT = 0.06  # seconds that the beginning of an answer sounds after its last word
CUT_SHARE = 0.6  # of the spoken answers that the user asks for once more: they ended early, and so does what is said again


class TypedSource:
    """Endless typed conversations. Nearly half of the questions imitate a transcript: spoken wording, pads between."""

    def __init__(self, tokenizer, codebook_sizes, seed):
        self.tokenizer, self.sizes = tokenizer, codebook_sizes
        self.rng = random.Random(f"typed {seed}")

    def add_question(self, builder, turn, rng):
        if add_functions(builder, self.tokenizer, turn.declared, turn.result):
            return
        if rng.random() < 0.45:
            builder.typed_turn(self.tokenizer.encode(turn.question), rng)
        else:
            text = grammar.typed_form(rng, turn) if rng.random() < 0.8 else turn.question
            builder.typed_turn(self.tokenizer.encode(text))

    def dialogues(self):
        """One conversation, or several unrelated ones in a row: a session goes on for long."""
        rng = self.rng
        if rng.random() < FAMILY_SHARE:
            return [grammar.sample_family(rng, rng.choices(list(FAMILIES), list(FAMILIES.values()))[0])]
        count = rng.choices((1, 2, 3), (82, 13, 5))[0]
        found = [grammar.sample_dialogue(rng, typed=True) for _ in range(count)]
        found.sort(key=lambda d: not d.fresh)
        return found[:1] + [d for d in found[1:] if not d.fresh]

    def add_earlier(self, builder, rng):
        """A conversation that came before another one."""
        self._add(builder, self.dialogues()[0], rng)

    def _add(self, builder, dialogue, rng):
        for turn in dialogue.turns:
            self.add_question(builder, turn, rng)
            answer = tone.UNHEARD if "tone" in turn.facts else turn.answer
            builder.written_answer(answer_pieces(self.tokenizer, answer), call=self.tokenizer.encode(turn.call))

    def draw(self):
        builder = sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))
        for dialogue in self.dialogues():
            if len(builder) > 1 and self.rng.random() < 0.15:
                builder.skip_positions(self.rng.randrange(600))
            self._add(builder, dialogue, self.rng)
        return builder.build()


def add_functions(builder, tokenizer, declared, result):
    """Signatures in front of a question, and a result in its place. -> whether that is all the user's turn holds."""
    if declared is not None:
        builder.declare(tokenizer.encode(declared))
    if result:
        builder.result(tokenizer.encode(result))
    return bool(result)


class PictureSource:
    """Typed conversations about pictures (picture_shards.py), each once before any comes a second time."""

    BEHIND_SHARE = 0.15  # of the shown pictures, behind the question
    SPEAK_SHARE = 0.6  # of the answers that draw and have been voiced

    def __init__(self, folder, tokenizer, codebook_sizes, seed, begin="", voice=None):
        """begin: the key of what the first turns of the conversations have, "shown" or "drawn"; default all of them; voice: the
        SpokenSource whose renderings drawings are answered with, too."""
        self.voice = voice
        self.tokenizer, self.sizes = tokenizer, codebook_sizes
        self.rng = random.Random(f"pictures {begin}{seed}")
        self.typed = TypedSource(tokenizer, codebook_sizes, f"pictures {begin}{seed}")
        self.conversations = [c for path in sorted(glob.glob(os.path.join(folder, "pictures_*.npz")))
                              for c in picture_shards.load(path) if not begin or begin in c[0]]
        self.unseen = []

    def draw(self):
        if not self.unseen:
            self.unseen = list(self.conversations)
            self.rng.shuffle(self.unseen)
        builder = sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))
        if self.rng.random() < 0.15:  # something unrelated came before
            self.typed.add_earlier(builder, self.rng)
        for turn in self.unseen.pop():
            behind = self.rng.random() < self.BEHIND_SHARE
            if not behind:
                show(builder, turn)
            self.typed.add_question(builder, grammar_turn(turn), self.rng)
            if behind:
                show(builder, turn)
            if "drawn" in turn and self.voice is not None and turn["answer"] in self.voice.answers and self.rng.random() < self.SPEAK_SHARE:
                self.voice.speak(builder, turn["answer"], **drawing(turn))
                continue
            kind = sequences.TYPED_TEXT if "drawn" in turn else sequences.SEEN_TEXT
            builder.written_answer(self.tokenizer.encode(turn["answer"]), kind=kind, **drawing(turn))
        return builder.build()


class Scenes:
    """The pictures of picture_shards.write_scenes, each once before any comes a second time."""

    def __init__(self, folder, rng):
        found = [np.load(path) for path in sorted(glob.glob(os.path.join(folder, "scenes_*.npz")))]
        if not found:
            raise ValueError(f"no scenes in {folder}: picture_shards --scenes makes them")
        self.codes, self.things = (np.concatenate([shard[name] for shard in found]) for name in ("codes", "things"))
        self.scenes = [scene for shard in found for scene in json.loads(str(shard["scenes"]))]
        self.rng, self.unseen = rng, []

    def next(self):
        """-> (what stands for it in a builder's `show`, the scene's values)."""
        if not self.unseen:
            self.unseen = list(range(len(self.codes)))
            self.rng.shuffle(self.unseen)
        index = self.unseen.pop()
        return (self.codes[index].tolist(), self.things[index].tolist()), self.scenes[index]


class SceneSource:
    """Pictures without words: nothing but what their codes are a part of is asked."""

    def __init__(self, folder, codebook_sizes, seed):
        self.sizes, self.rng = codebook_sizes, random.Random(f"scenes {seed}")
        self.pictures = Scenes(folder, self.rng)

    def draw(self):
        builder = sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))
        builder.show(*self.pictures.next()[0])
        return builder.build()


class InterviewSource:
    """One picture and many typed questions about it: most of what a conversation about a picture costs is the picture."""

    QUESTIONS = (3, 4, 5, 6, 7, 8)

    def __init__(self, folder, tokenizer, codebook_sizes, seed):
        self.tokenizer, self.sizes = tokenizer, codebook_sizes
        self.rng = random.Random(f"interviews {seed}")
        self.pictures = Scenes(folder, self.rng)

    def draw(self):
        shown, values = self.pictures.next()
        builder = sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))
        builder.show(*shown)
        for turn in grammar.picture_interview(self.rng, scenes.scene_of(values), self.rng.choice(self.QUESTIONS)).turns:
            transcript = self.rng.random() < 0.2
            text = turn.question if transcript or self.rng.random() < 0.3 else grammar.typed_form(self.rng, turn)
            builder.typed_turn(self.tokenizer.encode(text), self.rng if transcript else None)
            builder.written_answer(self.tokenizer.encode(turn.answer), kind=sequences.SEEN_TEXT)
        return builder.build()


def picture_answers(tokenizer, codebook_sizes, path):
    """A set of picture_shards.py as sequences in which only the answers are targets."""
    out = []
    for (turn,) in picture_shards.load(path):
        builder = sequences.SequenceBuilder(codebook_sizes)
        show(builder, turn)
        builder.typed_turn(tokenizer.encode(turn["typed"] or turn["question"]))
        builder.written_answer(tokenizer.encode(turn["answer"]), **drawing(turn))
        out.append(builder.build())
    return out


def show(builder, turn):
    for codes, things in zip(turn.get("shown", ()), turn.get("shown_things", ())):
        builder.show(codes, things)


def drawing(turn):
    """-> what the builder's answers want to know of the picture that is drawn."""
    return {"drawn": turn.get("drawn"), "things": turn.get("drawn_things", ())}


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
        for turn in dialogue.turns:
            builder.typed_turn(tokenizer.encode(turn.typed or turn.question))
            begin = len(builder)
            builder.written_answer(answer_pieces(tokenizer, turn.answer))
        sequence = builder.build()
        keep = sequence.target_at >= begin  # the last answer is the scored one
        for field in ("target_at", "target", "weight", "kind"):
            setattr(sequence, field, getattr(sequence, field)[keep])
        out.append(sequence)
    return out


class SpokenSource:
    """Recorded conversations (dataset.py) answered in speech or in text, read-aloud and typed-to-speech pairs.

    Shards are looked for again by `refresh`, because they are still being made while training runs.
    """

    def __init__(self, folder, tokenizer, codebook_sizes, seed, heard_share=0.76, speak_share=0.7):
        """heard_share: of the sequences, conversations that are heard; speak_share: of their turns, answered in speech.
        Of the other sequences READ_ALOUD_SHARE are texts read aloud, the rest typed conversations answered in speech."""
        self.folder, self.tokenizer, self.sizes = folder, tokenizer, list(codebook_sizes)
        self.heard_share, self.speak_share = heard_share, speak_share
        self.rng, self.noise = random.Random(f"spoken {seed}"), np.random.default_rng(seed)
        self.typed = TypedSource(tokenizer, codebook_sizes, f"spoken {seed}")
        self.seen, self.conversations, self.unseen, self.answers = set(), [], [], {}
        self.answer_texts = []
        self.refresh()

    def refresh(self):
        """-> number of shards that are new."""
        paths = [p for p in sorted(glob.glob(os.path.join(self.folder, "questions_*.npz"))) if p not in self.seen]
        if not paths:
            return 0
        self.answers = dataset.load_answers(self.folder)
        self.answer_texts = list(self.answers)
        for path in paths:
            self.seen.add(path)
            fresh = dataset.load_questions(path)
            self.conversations += fresh
            self.unseen += fresh
        self.rng.shuffle(self.unseen)
        return len(paths)

    def draw(self):
        if self.rng.random() < self.heard_share:
            return self._conversation(heard=True)
        return self._read_aloud() if self.rng.random() < READ_ALOUD_SHARE else self._conversation(heard=False)

    def _next_conversation(self):
        """Each conversation once before any comes a second time."""
        if not self.unseen:
            self.unseen = list(self.conversations)
            self.rng.shuffle(self.unseen)
        return self.unseen.pop()

    def _builder(self):
        return sequences.SequenceBuilder(self.sizes, self.rng.randrange(1500))

    def _answer(self, builder, text, speak, **behind):
        """behind: what follows the text (SequenceBuilder.written_answer)."""
        if speak and text in self.answers:
            self.speak(builder, text, **behind)
        else:
            builder.written_answer(answer_pieces(self.tokenizer, text), **behind)

    def speak(self, builder, text, **behind):
        """An answer that has been voiced."""
        self._speak(builder, text, self.answers[text], **behind)

    def _speak(self, builder, text, rendering, **behind):
        codes = rendering.codes.astype(np.int64)
        history = sequences.spoil_spoken(codes, self.sizes, self.noise)
        labels = sequences.speech_labels([self.tokenizer.encode(word) for word in text.split()], rendering)
        builder.spoken_answer(answer_pieces(self.tokenizer, text), codes.tolist(), history.tolist(), labels, **behind)

    def _answer_cut(self, builder, text, words):
        """The answer of which the user heard so many words and a part of the next."""
        rendering = self.answers[text]
        first = sequences.frame_after(rendering.words[words - 1][1])
        last = max(first, sequences.frame_after(sum(rendering.words[words]) / 2) - 1)
        frames = rendering.codes[: self.rng.randint(first, last) + 1].astype(np.int64)
        builder.cut_answer(self.tokenizer.encode(" ".join(text.split()[:words])), sequences.spoil_spoken(frames, self.sizes, self.noise).tolist())

    def _again(self, builder, text, words):
        """What was heard of that answer, said once more: its beginning."""
        rendering = self.answers[text]
        frames = min(len(rendering.codes), sequences.frame_after(rendering.words[words - 1][1] + AFTER_CUT) + 1)
        end = frames * sequences.FRAME_SECONDS
        phones = [(b, min(e, end), p) for b, e, p in rendering.phones if b < end]
        beginning = dataset.Rendering(rendering.codes[:frames], rendering.words[:words], phones)
        self._speak(builder, " ".join(text.split()[:words]), beginning)

    def _is_cut(self, turns, index):
        """Whether this answer ends early and is then asked for once more."""
        following = turns[index + 1] if index + 1 < len(turns) else None
        return (following is not None and following["shape"] in ("echo", "again") and following["answer"] == turns[index]["answer"]
                and following["answer"] in self.answers and len(following["answer"].split()) > 1
                and "call" not in turns[index] and "drawn" not in turns[index] and self.rng.random() < CUT_SHARE)

    def _hear(self, builder, turn):
        words = [(self.tokenizer.encode(w), b, e) for w, (b, e) in zip(turn["question"].split(), turn["words"])]
        plan = sequences.plan_hearing(words, self.rng)
        frames = sequences.spoil_heard(turn["codes"], self.sizes, self.noise)
        drop = self.rng.choice((0, 0, 1, 2, 3, 4)) if turn["words"][0][0] > 0.45 else 0  # less lead silence
        if drop:
            shift = drop * sequences.FRAME_SECONDS
            plan = sequences.plan_hearing([(p, b - shift, e - shift) for p, b, e in words], self.rng)
        return builder.heard_turn(frames[drop:].tolist(), plan, self.rng.choice((0, 0, 1, 2, 3)), turn["sounds"])

    def _ask(self, builder, turn, heard):
        """-> whether it was heard."""
        if add_functions(builder, self.tokenizer, turn.get("declared"), turn.get("result")):
            return False
        if heard and self._hear(builder, turn):
            return True
        if self.rng.random() < 0.5:
            builder.typed_turn(self.tokenizer.encode(turn["question"]), self.rng)
        else:
            builder.typed_turn(self.tokenizer.encode(typed_question(self.rng, turn)))
        return False

    def _conversation(self, heard):
        turns = self._next_conversation()
        builder = self._builder()
        if heard and len(turns) < 3 and self.rng.random() < 0.12:  # something unrelated came before
            self.typed.add_earlier(builder, self.rng)
            if self.rng.random() < 0.3:
                builder.skip_positions(self.rng.randrange(600))
        again = 0  # words of the answer before, which this one is to say once more
        for index, turn in enumerate(turns):
            last = index == len(turns) - 1
            # Earlier turns may be typed, answers may be in text: every mix occurs in a session. Hearing is what takes
            # longest to learn and a spoken answer is long, so many heard questions are answered in text.
            show(builder, turn)
            was_heard = self._ask(builder, turn, heard and (last or self.rng.random() < 0.75))
            speak = self.rng.random() < (self.speak_share if heard else 1.0)
            answer = tone.UNHEARD if "tone" in turn and not was_heard else turn["answer"]
            if again and speak:
                self._again(builder, answer, again)
            elif again:
                builder.written_answer(self.tokenizer.encode(" ".join(answer.split()[:again])))
            elif self._is_cut(turns, index):
                again = self.rng.randrange(1, len(answer.split()))
                self._answer_cut(builder, answer, again)
            else:
                self._answer(builder, answer, speak, call=self.tokenizer.encode(turn.get("call", "")), **drawing(turn))
        return builder.build()

    def _read_aloud(self):
        builder = self._builder()
        for _ in range(self.rng.choice((1, 1, 2))):
            text = self.rng.choice(self.answer_texts)
            builder.typed_turn(self.tokenizer.encode(self.rng.choice(_READ_ALOUD).format(text)))
            self._answer(builder, text, True)
        return builder.build()


_READ_ALOUD = ("say {}", "please say {}", "repeat {}", "read this aloud: {}", "say: {}", "read {}")


def typed_question(rng, turn):
    """A recorded turn's question as somebody might type it."""
    return grammar.typed_form(rng, grammar_turn(turn))


def grammar_turn(turn):
    return common.Turn(turn["question"], turn["answer"], turn["skill"], "", turn.get("split", common.TRAIN))
