"""The language model's training code: the layout of sequences, the hand-written passes, the exported weights."""

import dataclasses
import os
import random
import sys
import tempfile
import unittest
import unittest.mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(_ROOT, "models", "training"))

import numpy as np
import torch

import safetensors_file
from language import (
    add_pictures, change_ears, dataset, decode, kernels, lessons, model as wren, optimiser, restore, sequences, spoken_codes,
    symbols,
)
from language.symbols import ASSISTANT, BOS, END, PAD, USER

SIZES = (20, 12, 14, 10)


def small_model(seed=0, vocabulary=40):
    config = wren.ModelConfig(
        vocabulary, SIZES, width=32, layers=2, heads=2, mlp_width=48, depth_width=24, depth_layers=2, depth_heads=2,
        depth_mlp_width=20, max_positions=512,
    )
    generator = torch.Generator().manual_seed(seed)
    vectors = [torch.randn(size, 6, generator=generator) for size in SIZES]
    model = wren.Wren(config, vectors, vectors, seed)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    return model


def conversation(rng, turns=2, frames=30, pictures=False):
    builder = sequences.SequenceBuilder(SIZES)
    for _ in range(turns):
        heard = [[rng.randrange(size) for size in SIZES] for _ in range(frames)]
        plan = sequences.plan_hearing([([7], 0.4, 0.7), ([8, 9], 0.8, 1.2), ([10], 1.7, 2.0)])
        assert builder.heard_turn(heard, plan, 1)
        codes = [[rng.randrange(size) for size in SIZES] for _ in range(9)]
        rendering = dataset.Rendering(np.array(codes), [(0.0, 0.3), (0.3, 0.6)], [(0.0, 0.2, 3), (0.2, 0.3, 5), (0.3, 0.6, 7)])
        builder.spoken_answer([11, 12, 13], codes, labels=sequences.speech_labels([[11, 12], [13]], rendering))
        if pictures:
            builder.show([rng.randrange(symbols.IMAGE_CODES) for _ in range(4)], [1, 2, 2, lessons.NO_THING])
        builder.typed_turn([14, 15])
        drawn = {"drawn": [rng.randrange(symbols.IMAGE_CODES) for _ in range(4)], "things": [3, 3, 4, 4]}
        builder.written_answer([16, 17], **(drawn if pictures else {}))
    return builder.build()


class Layout(unittest.TestCase):
    def test_written_turn(self):
        builder = sequences.SequenceBuilder(SIZES)
        builder.typed_turn([7, 8])
        builder.written_answer([9, 10])
        s = builder.build()
        self.assertEqual(s.symbols.tolist(), [BOS, USER, 7, 8, ASSISTANT, 9, 10, END])
        self.assertEqual(dict(zip(s.target_at.tolist(), s.target.tolist())), {4: 9, 5: 10, 6: END})
        self.assertEqual(len(s.heard_at) + len(s.spoken_at) + len(s.depth_at), 0)

    def test_heard_turn_ends_at_the_planned_frame(self):
        plan = sequences.plan_hearing([([7], 0.1, 0.30), ([8], 0.35, 0.70)])
        self.assertEqual(plan.pieces, {sequences.frame_after(0.37): 7, sequences.frame_after(0.77): 8})
        self.assertEqual(plan.over, sequences.frame_after(0.85))
        builder = sequences.SequenceBuilder(SIZES)
        self.assertTrue(builder.heard_turn([[1, 2, 3, 4]] * 20, plan, extra=2))
        s = builder.build()
        self.assertEqual(s.symbols[1], USER)
        self.assertEqual(s.heard_at.tolist(), list(range(1, plan.over + 4)))
        written = dict(zip(s.target_at.tolist(), s.target.tolist()))
        for frame in range(plan.over):
            self.assertEqual(written[1 + frame], plan.pieces.get(frame, PAD))
            if frame > 0:  # what was written is read at the next position
                self.assertEqual(s.symbols[1 + frame], written[frame])
        self.assertEqual([written[1 + plan.over + n] for n in range(3)], [ASSISTANT] * 3)

    def test_pieces_keep_their_order_and_precede_the_end(self):
        rng = random.Random(1)
        for _ in range(300):
            at, words = rng.uniform(0.1, 0.5), []
            for _ in range(rng.randint(1, 6)):
                begin = at + rng.uniform(0, 0.3)
                at = begin + rng.uniform(0.05, 0.5)
                words.append(([rng.randrange(6, 40) for _ in range(rng.randint(1, 5))], begin, at))
            plan = sequences.plan_hearing(words, rng)
            frames = sorted(plan.pieces)
            self.assertEqual([plan.pieces[f] for f in frames], [p for pieces, _, _ in words for p in pieces])
            self.assertTrue(0 <= frames[0] and frames[-1] < plan.over)

    def test_a_picture_is_read_before_what_is_said_or_typed_in_the_same_turn(self):
        picture = [symbols.IMAGE, symbols.FIRST_IMAGE_CODE + 3, symbols.FIRST_IMAGE_CODE, symbols.IMAGE_END]
        builder = sequences.SequenceBuilder(SIZES)
        builder.show([3, 0], [50, 51])
        builder.typed_turn([7])
        builder.show([3, 0])
        builder.written_answer([9])
        builder.show([3, 0])
        frames = [[1] * len(SIZES)] * 12
        self.assertTrue(builder.heard_turn(frames, sequences.plan_hearing([([8], 0.1, 0.3)])))
        s = builder.build()
        begin = [BOS, USER, *picture, 7, *picture, ASSISTANT, 9, END, USER, *picture]
        self.assertEqual(s.symbols[: len(begin)].tolist(), begin)
        self.assertEqual(int(s.heard_at[0]), len(begin))
        self.assertEqual(int(s.symbols[len(begin)]), PAD)
        # What is seen is asked for where the code is read.
        self.assertEqual(s.symbols[s.seen_at].tolist(), picture[1:-1])
        self.assertEqual(s.seen.tolist(), [50, 51])
        self.assertFalse(set(s.target_at.tolist()) & set(range(2, 11)))  # what the user shows is no target

    def test_the_voice_goes_on_while_a_picture_is_drawn(self):
        builder = sequences.SequenceBuilder(SIZES)
        builder.typed_turn([7])
        codes = [[n] * len(SIZES) for n in range(4)]
        builder.spoken_answer([9], codes, drawn=[5, 6, 7], things=[40, 41, 40])
        s = builder.build()
        at = s.symbols.tolist().index(ASSISTANT)
        drawn = [symbols.IMAGE, *(symbols.FIRST_IMAGE_CODE + c for c in (5, 6, 7)), symbols.IMAGE_END]
        written = dict(zip(s.target_at.tolist(), s.target.tolist()))
        self.assertEqual([written[at + n] for n in range(7)], [9, *drawn, END])
        kinds = dict(zip(s.target_at.tolist(), s.kind.tolist()))
        text, code = sequences.SPOKEN_TEXT, sequences.DRAWN
        self.assertEqual([kinds[at + n] for n in range(7)], [text, text, code, code, code, code, text])
        self.assertEqual((s.spoken_at - at).tolist(), [3, 4, 5, 6])
        # What is drawn is asked for where the code is written.
        self.assertEqual([written[p] - symbols.FIRST_IMAGE_CODE for p in s.drawn_at.tolist()], [5, 6, 7])
        self.assertEqual(s.drawn.tolist(), [40, 41, 40])

    def test_a_turn_that_is_cut_short_is_refused(self):
        plan = sequences.plan_hearing([([7], 0.1, 0.9)])
        self.assertFalse(sequences.SequenceBuilder(SIZES).heard_turn([[0, 0, 0, 0]] * 5, plan))

    def test_speech_starts_two_positions_after_the_answer_and_is_read_back_one_later(self):
        builder = sequences.SequenceBuilder(SIZES)
        builder.typed_turn([7])
        codes = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 9]]
        builder.spoken_answer([9], codes)
        s = builder.build()
        self.assertEqual(s.symbols.tolist(), [BOS, USER, 7, ASSISTANT, 9, END, PAD, PAD, PAD])
        self.assertEqual(s.depth_at.tolist(), [5, 6, 7, 8])
        self.assertEqual(s.depth.tolist(), codes + [[SIZES[0], 0, 0, 0]])
        self.assertEqual(s.spoken_at.tolist(), [6, 7, 8])
        self.assertEqual(s.spoken.tolist(), codes)


class Passes(unittest.TestCase):
    def loss(self, model, batch):
        h, middle = model.backbone_with_middle(model.embed(batch), batch.packing)
        chosen = h.index_select(0, batch.target_rows)
        total = kernels.HeadLoss.apply(chosen, model.head, batch.target, batch.weight)[0]
        inside = batch.depth[:, 0] < SIZES[0]
        y = model.depth(h.index_select(0, batch.depth_rows[inside]), batch.depth[inside])
        for k, head in enumerate(model.depth_heads):
            rows, target = y[:, k].contiguous(), batch.depth[inside, k].contiguous()
            total = total + kernels.HeadLoss.apply(rows, head, target, torch.full((len(rows),), 0.3))[0]
        total = total + model.lessons.speaking(h.index_select(0, batch.depth_rows), batch.sounds, batch.place)[0]
        total = total + model.lessons.words(middle.index_select(0, batch.word_rows), batch.word_sounds)[0]
        for name, rows, labels in (("seen", batch.seen_rows, batch.seen), ("drawn", batch.drawn_rows, batch.drawn)):
            total = total + model.lessons.things(name, middle.index_select(0, rows), labels)[0]
        return total

    def test_gradients_agree_with_differences(self):
        model = small_model(vocabulary=symbols.VOCABULARY)
        rng = random.Random(2)
        batch = sequences.pack([conversation(rng, pictures=True), conversation(rng, 1)], SIZES[0])
        self.loss(model, batch).backward()
        for name, p in model.named_parameters():
            length = float(p.grad.norm())
            self.assertGreater(length, 0, name)
            direction, step = p.grad / length, 4e-3
            with torch.no_grad():
                p.add_(direction, alpha=step)
                above = float(self.loss(model, batch))
                p.add_(direction, alpha=-2 * step)
                below = float(self.loss(model, batch))
                p.add_(direction, alpha=step)
            self.assertAlmostEqual((above - below) / (2 * step) / length, 1.0, delta=0.06, msg=name)

    def test_sequences_of_a_batch_do_not_see_each_other(self):
        model, rng = small_model(), random.Random(3)
        first, second = conversation(rng, 1), conversation(rng, 3)  # the second is longer than a block of queries
        run = lambda some: model.backbone(model.embed(sequences.pack(some, SIZES[0])), sequences.pack(some, SIZES[0]).packing)
        with torch.no_grad():
            both = run([first, second])
            alone = torch.cat([run([first]), run([second])])
        self.assertLess(float((both - alone).abs().max()), 1e-4)

    def test_the_lower_half_alone_computes_the_same(self):
        config = dataclasses.replace(small_model().config, layers=6)
        vectors = [torch.randn(size, 6) for size in SIZES]
        model = wren.Wren(config, vectors, vectors)
        batch = sequences.pack([conversation(random.Random(6))], SIZES[0])
        with torch.no_grad():
            embedded = model.embed(batch)
            middle = model.backbone_with_middle(embedded, batch.packing)[1]
            torch.testing.assert_close(model.middle(embedded, batch.packing), middle)
            self.assertGreater(float((middle - embedded).abs().max()), 0.1)

    def test_reference_decoder_computes_the_same(self):
        model, rng = small_model(), random.Random(4)
        for p in model.parameters():  # no part may be missing because it starts at zero
            p.data.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * 0.05)
        s = conversation(rng, 2)
        batch = sequences.pack([s], SIZES[0])
        with torch.no_grad():
            h = model.backbone(model.embed(batch), batch.packing)
            reference = decode.ReferenceModel(model.export_weights(), wren.folder_config(model.config))
            reference.start(1, len(s))
            heard, spoken = dict(zip(s.heard_at, s.heard)), dict(zip(s.spoken_at, s.spoken))
            for at in range(len(s)):
                p = decode.Position(int(s.symbols[at]), heard.get(at), spoken.get(at), 0)
                if p.spoken is not None:
                    p.spoken = p.spoken.tolist()
                state = reference.step(reference.embed(*decode._inputs(reference, [p])))
                self.assertLess(float((state[0] - h[at]).abs().max()), 1e-4)
            codes, logits = reference.speak(h[:6])
            codes = codes.clamp(max=SIZES[0] - 1)
            y = model.depth(h[:6], codes)
            for k, head in enumerate(model.depth_heads):
                usable = codes[:, 0] == reference.speak(h[:6])[0][:, 0]
                self.assertLess(float((y[usable, k] @ head.t() - logits[k][usable]).abs().max()), 1e-4)

    def test_channels_start_at_one_scale(self):
        vectors = [torch.randn(n, 16) for n in (64, 32, 32, 32)]
        model = wren.Wren(wren.ModelConfig(300, (64, 32, 32, 32)), vectors, vectors)
        rms = lambda x: float(x.pow(2).mean().sqrt())
        codes = torch.randint(0, 32, (200, 4))
        for size in (rms(model.symbol), rms(model.heard(codes)), rms(model.spoken(codes))):
            self.assertTrue(0.7 < size < 1.3, size)


class Manners(unittest.TestCase):
    """The reference decoder on a model that writes what its script says, through one row of logits a position."""

    CONFIG = {
        "symbols": {"vocab_size": 24, "text_pieces": 12, "pad": 0, "unk": 1, "bos": 2, "end": 3, "user": 4, "assistant": 5},
        "audio": {"codebook_sizes": [8, 8]},
        "stream": {"speech_lead": 2},
        "sampling": {"endpoint_threshold": 0.9},
        "manner": {"speed_slow": 12, "speed_normal": 13, "speed_fast": 14, "voice_own": 15, "voice_low": 16},
    }

    def answer(self, wanted, pieces=96, config=CONFIG, declared=None, call=200):
        """wanted: for each position of a written answer the symbols it would write, the likeliest first."""
        test = self

        class Script:
            codebooks, end_of_audio = 2, 8

            def __init__(self):
                self.config = config

            def start(self, rows, capacity):
                self.position, self.keys, self.values = 0, torch.zeros(1, rows, 1, 1, 1), torch.zeros(1, rows, 1, 1, 1)

            def embed(self, symbols, *_):
                self.read.append(int(symbols))
                return symbols[:, None].float()

            def step(self, x):
                self.position += 1
                return x

            def symbol_logits(self, h):
                logits = torch.zeros(1, 24)
                at = len(self.read) - 1 - self.read.index(ASSISTANT) if ASSISTANT in self.read else -1
                for rank, symbol in enumerate(wanted[at] if 0 <= at < len(wanted) else ()):
                    logits[0, symbol] = 9.0 - rank
                return logits

        script = Script()
        script.read = []
        turn = decode.Turn(typed=[7], speak=False, declared=declared)
        (row,) = decode.decode(script, [[turn]], limits=decode.Limits(pieces=pieces, call=call))
        test.read = script.read
        return row.results[0]

    def test_a_symbol_chooses_and_is_no_text(self):
        result = self.answer([[8], [14], [END]])
        self.assertEqual((result.text, result.manner), ([8], {"speed": "fast"}))
        self.assertEqual(self.read[-3:], [8, 14, END])
        self.assertTrue(result.complete)

    def test_at_most_one_of_each_kind(self):
        result = self.answer([[14], [12, 16], [15, 13, END]])
        self.assertEqual((result.text, result.manner), ([], {"speed": "fast", "voice": "low"}))

    def test_the_limit_of_the_text_does_not_count_them(self):
        result = self.answer([[8], [16], [9]], pieces=1)
        self.assertEqual((result.text, result.manner, result.complete), ([8], {"voice": "low"}, False))

    def test_a_model_without_them_writes_none(self):
        config = {name: section for name, section in self.CONFIG.items() if name != "manner"}
        result = self.answer([[14, 8], [END]], config=config)
        self.assertEqual((result.text, result.manner), ([8], {}))

    def test_the_folder_names_the_symbols_that_are_taught(self):
        named = wren.folder_config(wren.ModelConfig(symbols.VOCABULARY, SIZES))["manner"]
        self.assertEqual(sorted(named.values()), list(range(symbols.SPEED_SLOW, symbols.VOICE_LOW + 1)))
        self.assertEqual(named["speed_fast"], symbols.SPEED_FAST)
        self.assertEqual(named["voice_low"], symbols.VOICE_LOW)


class Calls(unittest.TestCase):
    """Functions that are declared may be called, once an answer."""

    def test_a_call_is_no_text_and_only_declared_functions_are_called(self):
        call, call_end = 20, 21
        tools = dict(tools=18, tools_end=19, call=call, call_end=call_end, result=22, result_end=23)
        manners = Manners()
        config = dict(Manners.CONFIG, tools=tools)
        wanted = [[8], [call, END], [9], [call_end], [call, END]]
        declared = manners.answer(wanted, config=config, declared=[10])
        self.assertEqual((declared.text, declared.called), ([8], [[9]]))
        self.assertEqual(manners.read[:6], [BOS, USER, 18, 10, 19, 7])
        undeclared = manners.answer(wanted, config=config)
        self.assertEqual((undeclared.text, undeclared.called), ([8], []))

    def test_a_call_is_closed_at_its_limit(self):
        tools = dict(tools=18, tools_end=19, call=20, call_end=21, result=22, result_end=23)
        result = Manners().answer([[20], [9], [9], [9], [END]], config=dict(Manners.CONFIG, tools=tools), declared=[10], call=2)
        self.assertEqual(result.called, [[9, 9]])


class Lessons(unittest.TestCase):
    """80 ms frames whose labels are 40 ms late: frame 0 covers what was said from -40 to 40 ms."""

    def test_frames_know_their_phonemes_and_the_next_ones(self):
        phones = [(0.0, 0.1, 3), (0.1, 0.2, 4), (0.24, 0.4, 5)]
        found = lessons.frame_phonemes(phones, 4)
        self.assertEqual(found, [[0, 0, 3, 3], [3, 3, 3, 4], [4, 4, 4, 4], [0, 0, 5, 5], [5, 5, 5, 5]])
        rendering = dataset.Rendering(np.zeros((4, 4)), [(0.0, 0.2), (0.24, 0.4)], phones)
        labels = sequences.speech_labels([[8, 9], [10]], rendering)
        self.assertEqual(labels.sounds[1], found[1] + found[2])
        self.assertEqual(labels.place, [8, 8, 8, 10])

    def test_words_know_their_phonemes(self):
        words, phones = [(0.0, 0.3), (0.4, 0.6)], [(0.0, 0.1, 3), (0.1, 0.3, 4), (0.3, 0.4, 0), (0.4, 0.6, 5)]
        rest = lambda n: [lessons.NOTHING] * (lessons.LONGEST_WORD - n)
        self.assertEqual(lessons.word_phonemes(words, phones), [[3, 4, lessons.END_OF_WORD] + rest(3),
                                                                [5, lessons.END_OF_WORD] + rest(2)])

    def test_they_are_asked_where_the_text_is_read_and_the_frame_is_written(self):
        rendering = dataset.Rendering(np.zeros((4, 4), int), [(0.0, 0.2), (0.2, 0.3)], [(0.0, 0.2, 3), (0.2, 0.3, 5)])
        builder = sequences.SequenceBuilder(SIZES)
        builder.typed_turn([7])
        builder.spoken_answer([11, 12, 13], [[1, 2, 3, 4]] * 4, labels=sequences.speech_labels([[11, 12], [13]], rendering))
        s = builder.build()
        self.assertEqual(s.symbols[s.word_at].tolist(), [12, 13])
        self.assertEqual(s.word_sounds[:, 0].tolist(), [3, 5])
        self.assertEqual(s.place.tolist(), [11, 11, 11, 13, lessons.NOTHING])
        self.assertEqual(len(s.sounds), len(s.depth))

    def test_a_heard_word_is_asked_for_where_it_is_written(self):
        plan = sequences.plan_hearing([([7, 8], 0.1, 0.30), ([9], 0.35, 0.70)])
        sounds = [[n] * lessons.LONGEST_WORD for n in (3, 4)]
        builder = sequences.SequenceBuilder(SIZES)
        self.assertTrue(builder.heard_turn([[0] * 4] * 20, plan, sounds=sounds))
        s = builder.build()
        written = dict(zip(s.target_at.tolist(), s.target.tolist()))
        self.assertEqual([written[at] for at in s.word_at.tolist()], [7, 9])
        self.assertEqual(s.word_sounds[:, 0].tolist(), [3, 4])

    def test_a_rendering_of_another_text_is_refused(self):
        rendering = dataset.Rendering(np.zeros((4, 4)), [(0.0, 0.2)], [(0.0, 0.2, 3)])
        with self.assertRaises(ValueError):
            sequences.speech_labels([[8], [9]], rendering)


class SpokenCodes(unittest.TestCase):
    def test_first_codes_are_recorded_and_the_others_chosen_one_by_one(self):
        model, rng = small_model(5), np.random.default_rng(6)
        tokenizer = unittest.mock.Mock(encode=lambda text: [7 + len(word) for word in text.split()])
        codes = {text: np.stack([rng.integers(0, size, n) for size in SIZES], 1) for text, n in (("a bc", 9), ("def", 5))}
        table = {text: dataset.Rendering(c, [], []) for text, c in codes.items()}
        for text, found in zip(codes, spoken_codes.own_codes(model, tokenizer, list(codes), table)):
            self.assertEqual(found[:, 0].tolist(), codes[text][:, 0].tolist())
            builder = sequences.SequenceBuilder(SIZES)
            builder.typed_turn(tokenizer.encode("say " + text))
            builder.spoken_answer(tokenizer.encode(text), codes[text].tolist())
            batch = sequences.pack([builder.build()], SIZES[0])
            with torch.no_grad():
                h = model.backbone(model.embed(batch), batch.packing)[batch.depth_rows[:-1]]
                y = model.depth(h, found)
            for k in range(1, len(SIZES)):
                self.assertEqual((y[:, k] @ model.depth_heads[k].t()).argmax(-1).tolist(), found[:, k].tolist())


class Rest(unittest.TestCase):
    def test_training_goes_on_from_exported_weights(self):
        model = small_model(3)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * 0.05)
        exported = model.export_weights()
        vectors = [getattr(model.heard, f"vectors_{k}") for k in range(len(SIZES))]
        with tempfile.TemporaryDirectory() as folder:
            safetensors_file.write_safetensors(os.path.join(folder, "backbone.safetensors"), exported)
            restored = restore.restored(folder, vectors, vectors, model.config).export_weights()
        self.assertEqual(set(restored), set(exported))
        for name, tensor in exported.items():
            self.assertLess(float((restored[name] - tensor).abs().max()), 1e-5, name)

    def test_pictures_are_added_without_forgetting(self):
        model = small_model()
        vectors = torch.randn(symbols.IMAGE_CODES, 5)
        grown = add_pictures.grown(model, vectors)
        self.assertEqual(grown.config.vocab_size, symbols.VOCABULARY)
        batch = sequences.pack([conversation(random.Random(2))], SIZES[0])
        with torch.no_grad():
            before, after = (m.backbone(m.embed(batch), batch.packing) for m in (model, grown))
            torch.testing.assert_close(after, before)
            torch.testing.assert_close(after @ grown.head[:40].t(), before @ model.head.t())
            # Codes that look alike start alike.
            near = torch.cdist(vectors, vectors).fill_diagonal_(9e9).argmin(1)
            codes = grown.symbol[symbols.FIRST_IMAGE_CODE :]
            apart = lambda other: float((codes - codes[other]).norm(dim=1).mean())
            self.assertLess(apart(near), 0.5 * apart(torch.arange(symbols.IMAGE_CODES - 1, -1, -1)))
            self.assertAlmostEqual(float(codes.square().mean().sqrt()), 0.9, places=3)

    def test_codes_mean_what_they_were_a_part_of(self):
        shown = {"shown": [[0, 1, 2], [0, 1, 2]], "shown_things": [[5, 6, lessons.NO_THING]] * 2}
        found = add_pictures.meaning([[shown, {"drawn": [0, 3], "drawn_things": [5, 5]}]])
        self.assertEqual(found.shape, (symbols.IMAGE_CODES, lessons.THINGS + 1))
        self.assertEqual(found[:4].argmax(1).tolist(), [5, 6, lessons.NO_THING, 5])
        self.assertGreater(float(found[0, 5]), float(found[3, 5]))  # seen more often, so surer
        torch.testing.assert_close(found[7], torch.zeros(lessons.THINGS + 1))  # never seen: as any code

    def test_new_ears_read_as_the_old_ones_did(self):
        model = small_model(5)
        generator = torch.Generator().manual_seed(2)
        old = torch.stack([torch.randint(0, size, (4000,), generator=generator) for size in SIZES], 1)
        # The same ears with their codes renumbered, and vectors that say nothing of it.
        order = [torch.randperm(size, generator=generator) for size in SIZES]
        new = torch.stack([order[k][old[:, k]] for k in range(len(SIZES))], 1)
        vectors = [torch.randn(size, 5, generator=generator) for size in SIZES]
        changed, unexplained = change_ears.changed(model, old, new, vectors)
        self.assertLess(unexplained, 1e-3)
        with torch.no_grad():
            difference = changed.heard(new) - model.heard(old)
        self.assertLess(float(difference.pow(2).mean() / model.heard(old).pow(2).mean()), 1e-3)
        for name, tensor in changed.state_dict().items():
            if not name.startswith("heard."):
                self.assertTrue(torch.equal(tensor, model.state_dict()[name]), name)

    def test_orthogonalised_step_has_even_singular_values(self):
        for shape in ((48, 32), (32, 48), (32, 32)):
            matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
            values = torch.linalg.svdvals(optimiser.orthogonalise(matrix))
            self.assertTrue(0.5 < float(values.min()) and float(values.max()) < 1.3, values)

    def test_bfloat16_rounds_to_nearest_even(self):
        bits = torch.tensor([0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF], dtype=torch.int32)
        rounded = safetensors_file.round_to_bfloat16(bits.view(torch.float32)).view(torch.int16)
        self.assertEqual(rounded.tolist(), [0x3F80, 0x3F82, 0x3F81, 0x3F80])

    def test_safetensors_round_trip(self):
        tensors = {"a": torch.randn(3, 5), "b": safetensors_file.round_to_bfloat16(torch.randn(7)),
                   "c": torch.arange(4, dtype=torch.int32)}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.safetensors")
            safetensors_file.write_safetensors(path, tensors)
            found = safetensors_file.read_safetensors(path)
        for name, tensor in tensors.items():
            self.assertEqual(found[name].dtype, tensor.dtype)
            self.assertTrue(torch.equal(found[name], tensor))


if __name__ == "__main__":
    unittest.main()
