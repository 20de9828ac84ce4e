"""Voiced conversations carry the right times, and shards survive being interrupted.

    /usr/bin/python3 tests/training/test_dataset.py        (needs flite and espeak-ng)
"""

import argparse
import os
import random
import re
import sys
import tempfile
import unittest
import unittest.mock

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "models", "training"))

import phonemes
import voices
from language import dataset, grammar, lessons, mixture, picture_shards, sequences, symbols, tokenizer as tokenizers
from language.skills import nouns, seeing, tone
from language.skills.common import TRAIN, rng_of

HELD_OUT = ("+f5", "+m7", "scotland", "rms")


def level(samples):
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0


class Voicing(unittest.TestCase):
    def test_word_times_cover_the_speech(self):
        rng = random.Random(3)
        quiet = voices.Voice("espeak", "en-us", 150, 50)
        for _ in range(10):
            turn = grammar.sample_dialogue(rng).turns[0]
            samples, words = dataset._trim(voices.synthesize(turn.spoken, quiet), 0.03, 0.06)
            self.assertEqual(len(words), len(turn.question.split()))
            end = int(words[-1][1] * dataset.SAMPLE_RATE)
            self.assertGreater(level(samples[end - 1600 : end]), 10 * level(samples[end + 480 :]))
            self.assertTrue(all(a <= c for (a, _), (c, _) in zip(words, words[1:])))

    def test_questions_are_whole_frames_with_silence_around(self):
        rng = random.Random(4)
        for _ in range(10):
            for record, samples in dataset.voice_dialogue(grammar.sample_dialogue(rng), "train", rng):
                self.assertEqual(samples.dtype, np.int16)
                self.assertEqual(len(samples) % dataset.FRAME, 0)
                self.assertGreaterEqual(len(samples) / dataset.SAMPLE_RATE - record["speech_end"], 0.6)
                self.assertGreaterEqual(record["words"][0][0], 0.1)
                self.assertFalse(any(name in record["voice"] for name in HELD_OUT), record["voice"])

    def test_noise_stands_behind_a_question_when_it_is_asked_for(self):
        turn = grammar.test_set("held_out_texts", 1)[0].turns[0]
        voice = voices.Voice("espeak", "en-us", 150, 50)
        for seed in range(5):
            samples, words, _ = dataset.speak_question(turn, voice, random.Random(seed), noise=10.0)
            silence = level(samples[-4800:]) / level(samples)
            self.assertLess(abs(20 * np.log10(silence) + 10.0), 3.0)  # noise against speech and noise: -10.4 dB

    def test_held_out_voices_are_the_promised_ones(self):
        rng = random.Random(5)
        for _ in range(200):
            voice = str(dataset.pick_voice(rng, "heldout"))
            self.assertTrue(any(name in voice for name in HELD_OUT), voice)

    def test_a_pause_moves_the_words_behind_it(self):
        words = [(0.1, 0.3), (0.3, 0.5), (0.5, 0.7)]
        samples = np.ones(16000, np.float32)
        longer, moved = dataset._insert_pauses(samples, words, [(1, 0.25), (2, 0.125)])
        self.assertEqual(len(longer), 16000 + 4000 + 2000)
        np.testing.assert_allclose(moved, [(0.1, 0.3), (0.55, 0.75), (0.875, 1.075)])
        self.assertEqual(level(longer[int(0.3 * 16000) + 10 : int(0.55 * 16000) - 10]), 0.0)

    def test_an_answer_has_one_rendering(self):
        (first, times), (again, _) = (dataset.speak_answer("cat is spelled c a t") for _ in range(2))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(level(first[:1600]), 100)  # trimmed: it starts to speak at once
        self.assertEqual(len(times["words"]), 6)
        sounds = [phonemes.CLASSES[p] for b, e, p in times["phones"] if times["words"][0][0] <= b < times["words"][0][1]]
        self.assertEqual(sounds, ["k", "ae", "t"])
        self.assertAlmostEqual(times["phones"][-1][1], len(first) / 16000, delta=0.3)


class EncodesCounts:
    """A picture's only code is the number of its things."""

    @staticmethod
    def encode(drawn):
        return np.array([[len(scene.things)] for scene in drawn], np.int16)


class Shards(unittest.TestCase):
    @staticmethod
    def maker(folder, **options):
        made = dataset.Maker(folder, 7, "no checkpoint", "no checkpoint", "no checkpoint", shard_size=14, **options)
        encode = lambda waves, tracts: [np.full((len(w) // dataset.FRAME, 4), i, np.int16) for i, w in enumerate(waves)]
        made.encoders = {"questions": encode, "answers": encode, "pictures": EncodesCounts()}
        return made

    def test_a_shard_comes_back_as_conversations(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = self.maker(folder)
            maker.synthesize(0)
            waves, records = dataset._load(maker._path("questions_0000", True), "samples")
            maker.tokenise_pending()
            self.assertEqual(maker.pending(), [])
            conversations = dataset.load_questions(maker._path("questions_0000"))
            turns = [turn for conversation in conversations for turn in conversation]
            self.assertEqual([t["question"] for t in turns], [r["question"] for r in records])
            self.assertEqual([len(t["codes"]) for t in turns], [len(w) // dataset.FRAME for w in waves])
            self.assertEqual(len({t["voice"] for t in conversations[0]}), 1)
            self.assertTrue(any(t.get("tract") for t in turns))
            for turn in turns:
                self.assertEqual(len(turn["sounds"]), len(turn["question"].split()))
            dictated = {t["answer"] for t in turns if t["shape"] == "dictation"}
            asked = {t["answer"] for t in turns if t["shape"] != "dictation"}
            self.assertTrue(dictated)
            self.assertEqual(set(dataset.load_answers(folder)), asked)

    def test_spoken_conversations_keep_their_pictures_as_codes(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = self.maker(folder, picture_share=1.0)
            maker.synthesize(0)
            _, records = dataset._load(maker._path("questions_0000", True), "samples")
            maker.tokenise_pending()
            turns = [turn for c in dataset.load_questions(maker._path("questions_0000")) for turn in c]
            counts = lambda scenes: [[len(scene["things"])] for scene in scenes]
            self.assertEqual([t.get("shown") for t in turns], [r.get("shown") and counts(r["shown"]) for r in records])
            self.assertEqual([t.get("drawn") for t in turns], [r.get("drawn") and counts([r["drawn"]])[0] for r in records])
            self.assertTrue(any("shown" in t for t in turns) and any("drawn" in t for t in turns))

    def test_shards_of_some_skills_hold_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            skills = dataset.skill_names("definitions,capitals,currencies")
            maker = self.maker(folder, skills=skills)
            maker.shard_size, maker.checkpoints = 5, {"any": os.path.abspath(__file__)}  # one that is there
            with unittest.mock.patch.object(dataset.Maker, "evaluation_set") as evaluated:
                maker.run(dataset.DEVELOPMENT_AFTER + 1, first=200)
            self.assertEqual([call.args[::2] for call in evaluated.mock_calls],
                             [(name, voices) for name in ("definitions_dev", "countries_dev") for voices in ("train", "heldout")])
            self.assertEqual(sorted(os.path.basename(p) for p in os.listdir(folder) if p.startswith("questions")),
                             ["questions_0200.npz", "questions_0201.npz", "questions_0202.npz"])
            turns = [turn for c in dataset.load_questions(maker._path("questions_0200")) for turn in c]
            self.assertTrue({turn["skill"] for turn in turns} <= set(skills))
            self.assertNotIn("dictation", {turn["shape"] for turn in turns})
            self.assertTrue({turn["answer"] for turn in turns} <= set(dataset.load_answers(folder)))

    def test_a_set_for_evaluation_can_be_made_alone(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(dataset, "voice_dialogue") as voice:
            voice.return_value = [(dict(question="q", answer="a", voice="v", speech_end=1.0), np.zeros(dataset.FRAME, np.int16))]
            maker = self.maker(folder)
            maker.evaluation_sets(["noisy_texts"])
            made = sorted(name for name in os.listdir(os.path.join(folder, "eval")) if name.endswith(".npz"))
            self.assertEqual(made, ["noisy_texts.heldout.npz", "noisy_texts.train.npz"])
            asked = [call.args[0] for call in voice.mock_calls]
            self.assertEqual(asked[:320], grammar.test_set("held_out_texts", 320))
            self.assertEqual({call.args[-1] for call in voice.mock_calls}, {10.0})

    def test_a_skill_that_does_not_exist_is_named(self):
        with self.assertRaisesRegex(argparse.ArgumentTypeError, "no skill poetry; there are again, arithmetic, "):
            dataset.skill_names("definitions,poetry")

    def test_typed_conversations_keep_their_pictures_as_codes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pictures_0000.npz")
            picture_shards.write(path, 5, 0, EncodesCounts(), 40)
            rng = rng_of("pictures", 5, 0)
            dialogues = [grammar.sample_picture_dialogue(rng) for _ in range(40)]
            found = picture_shards.load(path)
            for dialogue, turns in zip(dialogues, found, strict=True):
                for wanted, turn in zip(dialogue.turns, turns, strict=True):
                    self.assertEqual((turn["question"], turn["answer"]), (wanted.question, wanted.answer))
                    self.assertEqual(turn.get("shown", []), [[len(scene.things)] for scene in wanted.shown])
                    self.assertEqual(turn.get("drawn"), wanted.drawn and [len(wanted.drawn.things)])
                    for scene, things in zip(wanted.shown, turn.get("shown_things", ()), strict=True):
                        names = {nouns.NAMES.index(thing.name) for thing in scene.things}
                        self.assertEqual(set(things), names | {lessons.NO_THING})

    def test_pictures_without_words_are_asked_what_their_codes_are_a_part_of(self):
        with tempfile.TemporaryDirectory() as folder:
            encoder = unittest.mock.Mock(encode=lambda drawn: np.array([range(n, n + 64) for n in range(len(drawn))], np.int16))
            picture_shards.write_scenes(os.path.join(folder, "scenes_0000.npz"), 3, 0, encoder, 5)
            source = mixture.SceneSource(folder, (20, 12), 1)
            drawn = [source.draw() for _ in range(5)]
            self.assertEqual(sorted(int(s.symbols[3]) - symbols.FIRST_IMAGE_CODE for s in drawn), [0, 1, 2, 3, 4])
            for sequence in drawn:
                self.assertEqual(len(sequence.target), 0)
                self.assertEqual(len(sequence.seen), 64)
                first = int(sequence.symbols[sequence.seen_at[0]]) - symbols.FIRST_IMAGE_CODE
                scenes_drawn = rng_of("scenes", 3, 0)
                scene = [seeing.random_scene(scenes_drawn) for _ in range(first + 1)][-1]
                self.assertEqual(sequence.seen.tolist(), picture_shards.things_of(scene))
            with self.assertRaisesRegex(ValueError, "no scenes"):
                mixture.SceneSource(os.path.join(folder, "nothing"), (20, 12), 1)

    def test_an_interview_asks_much_about_one_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            encoder = unittest.mock.Mock(encode=lambda drawn: np.array([range(n, n + 64) for n in range(len(drawn))], np.int16))
            picture_shards.write_scenes(os.path.join(folder, "scenes_0000.npz"), 3, 0, encoder, 5)
            tokenizer = tokenizers.load()
            source = mixture.InterviewSource(folder, tokenizer, (20, 12), 1)
            scenes_drawn = rng_of("scenes", 3, 0)
            drawn = [seeing.random_scene(scenes_drawn) for _ in range(5)]
            for _ in range(10):
                sequence = source.draw()
                self.assertEqual(int((sequence.symbols == symbols.IMAGE).sum()), 1)
                scene = drawn[int(sequence.symbols[sequence.seen_at[0]]) - symbols.FIRST_IMAGE_CODE]
                self.assertEqual(set(sequence.kind), {sequences.SEEN_TEXT})
                answers = tokenizer.decode([piece for piece in sequence.target.tolist() if piece != symbols.END])
                self.assertIn(int((sequence.target == symbols.END).sum()), source.QUESTIONS)
                self.assertLessEqual(set(re.findall("the background is ([a-z]+)", answers)), {scene.background.colour})

    def test_interviews_hold_nothing_that_is_held_out(self):
        rng = random.Random(6)
        for _ in range(30):
            dialogue = grammar.picture_interview(rng, seeing.random_scene(rng), 4)
            self.assertEqual(len(dialogue.turns), 4)
            self.assertEqual([bool(turn.shown) for turn in dialogue.turns], [True, False, False, False])
            self.assertEqual({turn.split for turn in dialogue.turns}, {TRAIN})

    def test_texts_to_read_aloud_are_of_the_training_kind_and_new(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = self.maker(folder)
            with unittest.mock.patch.object(dataset, "READ_ALOUD_PER_SHARD", 8):
                maker.synthesize(0)
                before = set(maker.voiced)
                maker.read_aloud(0)
                maker.tokenise_pending()
                texts = set(dataset.load_answers(folder))
                self.assertEqual(len(texts - before), 8)
                again = self.maker(folder)
                again._find_answers()
                self.assertEqual(again.voiced, texts)
            for text, rendering in dataset.load_answers(folder).items():
                self.assertEqual(len(rendering.words), len(text.split()))

    def test_an_interrupted_shard_is_made_again(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = self.maker(folder)
            maker.synthesize(0)
            answers, questions = (maker._path(n, True) for n in ("answers_0000", "questions_0000"))
            texts = [dataset._load(path, "samples")[1] for path in (answers, questions)]
            os.remove(questions)  # stopped between the two files
            self.maker(folder).synthesize(0)
            self.assertEqual(dataset._load(answers, "samples")[1], texts[0])
            self.assertEqual([(t["question"], t["voice"]) for t in dataset._load(questions, "samples")[1]],
                             [(t["question"], t["voice"]) for t in texts[1]])
            again = self.maker(folder)
            again._find_answers()
            self.assertEqual(again.voiced, maker.voiced)


class Functions(unittest.TestCase):
    def test_a_result_is_silent_and_keeps_its_fields(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = Shards.maker(folder, skills=("tools",))
            maker.synthesize(0)
            maker.tokenise_pending()
            turns = [t for c in dataset.load_questions(maker._path("questions_0000")) for t in c]
        results = [t for t in turns if "result" in t]
        self.assertTrue(results)
        self.assertTrue(all(t["codes"].shape == (0, 4) and t["answer"] for t in results))
        self.assertTrue(all(len(t["codes"]) for t in turns if "result" not in t))
        self.assertTrue(any("call" in t for t in turns) and any("declared" in t for t in turns))

    def test_the_stream_holds_declaration_call_and_result(self):
        builder = sequences.SequenceBuilder((8, 4, 4, 4))
        builder.declare([10, 11])
        builder.typed_turn([12])
        builder.written_answer([13], call=[14, 15])
        builder.result([16])
        builder.spoken_answer([17], [[1, 1, 1, 1]], call=[18])
        built = builder.build()
        U, A, E = symbols.USER, symbols.ASSISTANT, symbols.END
        self.assertEqual(built.symbols.tolist(), [
            symbols.BOS, U, symbols.TOOLS, 10, 11, symbols.TOOLS_END, 12, A, 13, symbols.CALL, 14, 15, symbols.CALL_END, E,
            U, symbols.RESULT, 16, symbols.RESULT_END, A, 17, symbols.CALL, 18, symbols.CALL_END])
        written = dict(zip(built.target_at.tolist(), built.target.tolist()))
        self.assertEqual([written[at] for at in range(7, 13)], [13, symbols.CALL, 14, 15, symbols.CALL_END, E])
        self.assertEqual([written[at] for at in range(18, 23)], [17, symbols.CALL, 18, symbols.CALL_END, E])


class Tones(unittest.TestCase):
    def test_an_excited_voice_is_faster_and_higher_than_a_low_one(self):
        rng = random.Random(8)
        for _ in range(20):
            voice = voices.sample_voice(rng)
            low, calm, excited = (tone.in_tone(voice, name, rng) for name in ("low", "calm", "excited"))
            self.assertTrue(low.pitch < calm.pitch < excited.pitch or voice.engine == "espeak" and low.pitch <= calm.pitch <= excited.pitch)
            seconds = [len(voices.synthesize("how do i sound to you", v).wave) for v in (low, calm, excited)]
            self.assertEqual(seconds, sorted(seconds, reverse=True))

    def test_who_types_is_told_that_a_voice_is_needed(self):
        turn = grammar.sample_family(random.Random(1), "tone").turns[-1]
        source = mixture.TypedSource(tokenizers.load(), (8, 4, 4, 4), 1)
        builder = sequences.SequenceBuilder((8, 4, 4, 4))
        source._add(builder, grammar.Dialogue((turn,), "tone"), random.Random(2))
        text = tokenizers.load().decode([s for s in builder.build().target.tolist() if s != symbols.END])
        self.assertEqual(text, tone.UNHEARD)


class CutAnswers(unittest.TestCase):
    """An answer that was interrupted, and what was heard of it said once more."""

    TEXT, FRAMES = "it is cold", 20

    def source(self):
        source = mixture.SpokenSource.__new__(mixture.SpokenSource)
        source.tokenizer, source.sizes = tokenizers.load(), [8, 4, 4, 4]
        source.rng, source.noise = random.Random(3), np.random.default_rng(3)
        codes = np.arange(self.FRAMES)[:, None] % [8, 4, 4, 4]
        source.answers = {self.TEXT: dataset.Rendering(codes, [(0.0, 0.3), (0.4, 0.6), (0.9, 1.4)], [(0.0, 1.6, 3)])}
        return source

    def test_the_context_ends_with_the_words_heard(self):
        for words in (1, 2):
            source = self.source()
            builder = sequences.SequenceBuilder(source.sizes)
            source._answer_cut(builder, self.TEXT, words)
            built = builder.build()
            pieces = source.tokenizer.encode(" ".join(self.TEXT.split()[:words]))
            self.assertEqual([s for s in built.symbols.tolist() if s != symbols.PAD], [symbols.BOS, symbols.ASSISTANT, *pieces, symbols.END])
            begin, end = (0.3, 0.5) if words == 1 else (0.6, 1.15)
            self.assertTrue(begin <= len(built.spoken_at) * sequences.FRAME_SECONDS <= end + sequences.FRAME_SECONDS, len(built.spoken_at))
            self.assertEqual(len(built.target_at), 0)
            self.assertEqual(built.spoken_at[0], 1 + sequences.SPEECH_LEAD + 1)

    def test_it_is_said_again_as_far_as_it_was_heard(self):
        source = self.source()
        builder = sequences.SequenceBuilder(source.sizes)
        source._again(builder, self.TEXT, 2)
        built = builder.build()
        text = [s for s in built.target.tolist() if s not in (symbols.PAD, symbols.END)]
        self.assertEqual(source.tokenizer.decode(text), "it is")
        said = built.depth[:, 0].tolist()
        self.assertEqual(said[-1], 8)  # the end of audio
        self.assertEqual(said[:-1], [n % 8 for n in range(9)])  # 0.6 + 0.06 s


if __name__ == "__main__":
    unittest.main()
