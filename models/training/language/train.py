"""Trains Wren's language model.

    python3 -m language.train --stage typed  --minutes 25 --out TYPED
    python3 -m language.train --stage spoken --minutes 60 --out RUN --data DATA \\
            --hearing hearing_tokens.pt --codec codec_tokens.pt [--init TYPED/checkpoint.pt]

The typed stage needs only the grammar; it teaches the answers. The spoken stage adds hearing and speaking, on recorded
conversations (dataset.py) that may still be appearing while it runs. `--resume CHECKPOINT` goes on from a checkpoint
with its optimiser state; the schedule (150 steps of warm-up, then a cosine to nearly zero on the wall clock) starts
anew with --minutes, so a run can be extended. `--schedule-minutes` with `--elapsed` enters a schedule midway instead.

Each worker process runs one thread: on small machines that is faster than one process with many. Gradients meet in
shared memory. The log (<out>/log.jsonl) has a line every half minute and one for each evaluation.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import time

_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Large blocks come from the heap and stay there: fresh pages for every activation cost more than the arithmetic.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
}


def _restart_with_settings():
    if any(os.environ.get(name) != value for name, value in _SETTINGS.items()):
        os.execve(sys.executable, sys.orig_argv, dict(os.environ, **_SETTINGS))


if __name__ == "__main__":
    _restart_with_settings()

import numpy as np
import torch

from language import (
    checkpoint as checkpoints, kernels, mixture, model as wren, monitor, optimiser as optimisers, sequences,
    symbols, tokenizer as tokenizers,
)

CODEBOOK_SIZES = (1024, 512, 512, 512)
WARM_UP_STEPS = 150
LAST_RATE = 0.01  # of the full rate, at the end of the cosine
AUDIO_WEIGHT = 0.45
FIRST_CODEBOOK_WEIGHT = 2.0  # the other codebooks count 0.6 each
OTHER_CODEBOOK_WEIGHT = 0.6
HEARD_NOISE = 0.1
DEPTH_SHARE = 0.5
PAD_SHARE = 0.5
# Pads of the transcript start with a small weight, or the few words would drown; it rises towards half of a word's in
# the middle of the run, because a model that thinks little of pads writes words before it has heard them.
PAD_RISE = (0.3, 0.7, 0.5)  # from this share of the schedule, to this one, this much of the way to full weight
BARRIER_SECONDS = 1800  # more than any evaluation takes: a worker that died must not keep the others waiting for ever
MICRO_BATCH = 1000  # rows; larger ones fall out of the cache


def parse():
    parser = argparse.ArgumentParser(description="Trains Wren's language model.")
    add = parser.add_argument
    add("--stage", choices=("typed", "spoken"), required=True)
    add("--minutes", type=float, required=True)
    add("--out", required=True)
    add("--data", help="folder of dataset.py's shards")
    add("--hearing", help="frozen checkpoint of the ears: the codebook vectors of what is heard")
    add("--codec", help="frozen checkpoint of the audio codec: those of what is spoken")
    add("--pictures", help="folder of picture_shards.py: typed conversations about pictures")
    add("--picture-share", type=float, default=0.3, help="of the rows, those conversations")
    add("--drawing-share", type=float, default=0.0, help="of the rows, those of them that begin with a request to draw")
    add("--scene-share", type=float, default=0.0, help="of the rows, pictures without words; cheap, asked half-way up")
    add("--interview-share", type=float, default=0.0, help="of the rows, one picture of those and many questions about it")
    add("--init", help="checkpoint whose weights to start from")
    add("--resume", help="checkpoint to go on from, weights and optimiser")
    add("--rate", type=float, default=1.2e-3)
    add("--rows", type=int, default=1800, help="packed positions a worker and step")
    add("--typed-share", type=float, default=0.22, help="of the rows of the spoken stage")
    add("--heard-share", type=float, default=0.76, help="of the recorded conversations; the rest is typed or read aloud")
    add("--speak-share", type=float, default=0.7, help="of the heard turns, answered in speech")
    add("--workers", type=int, default=2)
    add("--optimiser", choices=("adamw", "muon"), default="adamw")
    add("--evaluate-minutes", type=float, default=12.0)
    add("--checkpoint-minutes", type=float, default=5.0)
    add("--schedule-minutes", type=float, help="length of the schedule, if other than --minutes")
    add("--elapsed", type=float, default=0.0, help="minutes of the schedule that are behind")
    add("--seed", type=int, default=0)
    return parser.parse_args()


class Losses:
    """Runs forward and backward over one worker's share of a step and keeps running figures."""

    def __init__(self, model, noise):
        self.model, self.noise = model, noise
        self.totals = {}

    def _note(self, name, losses, hits):
        total = self.totals.setdefault(name, [0.0, 0.0, 0])
        total[0] += float(losses.sum())
        total[1] += float(hits.sum())
        total[2] += len(losses)

    def figures(self):
        """-> name -> [mean loss, accuracy] since the last call."""
        out = {n: [round(t[0] / t[2], 3), round(t[1] / t[2], 4)] for n, t in self.totals.items() if t[2]}
        self.totals = {}
        return out

    def run(self, groups, done):
        """groups: lists of sequences, a micro-batch each; done: share of the schedule that is over."""
        batches = [sequences.pack(g, CODEBOOK_SIZES[0], DEPTH_SHARE, PAD_SHARE, self.noise) for g in groups]
        begin, end, height = PAD_RISE
        rise = height * min(1.0, max(0.0, (done - begin) / (end - begin)))
        for batch in batches:
            pads = batch.kind == sequences.HEAR_PAD
            batch.weight[pads] += rise * (1.0 / PAD_SHARE - batch.weight[pads])
        self._normalise(batches)
        frames = max(1, sum(len(b.depth) for b in batches))
        counts = {name: max(1, sum(len(getattr(b, name + "_rows")) for b in batches)) for name in ("word", "seen", "drawn")}
        for batch in batches:
            embedded = self.model.embed(batch, HEARD_NOISE)
            if len(batch.target) == 0:  # nothing is written: what is asked half-way up is all
                middle = self.model.middle(embedded, batch.packing)
                self._lessons_of_pictures("seen", middle.index_select(0, batch.seen_rows), batch.seen, counts["seen"]).backward()
                continue
            h, middle = self.model.backbone_with_middle(embedded, batch.packing)
            chosen = h.index_select(0, batch.target_rows)
            loss, each, hits = kernels.HeadLoss.apply(chosen, self.model.head, batch.target, batch.weight)
            for kind, name in enumerate(sequences.KIND_NAMES):
                mine = batch.kind == kind
                if mine.any():
                    self._note(name, each[mine], hits[mine])
            if len(batch.depth):
                spoken = h.index_select(0, batch.depth_rows)
                loss = loss + self._audio(spoken, batch.depth, frames) + self._lessons_of_frames(spoken, batch, frames)
            if len(batch.word_rows):
                loss = loss + self._lessons_of_words(middle.index_select(0, batch.word_rows), batch, counts["word"])
            for name in ("seen", "drawn"):
                rows = getattr(batch, name + "_rows")
                if len(rows):
                    labels = getattr(batch, name)
                    loss = loss + self._lessons_of_pictures(name, middle.index_select(0, rows), labels, counts[name])
            loss.backward()

    def _lessons_of_frames(self, spoken, batch, frames):
        loss, notes = self.model.lessons.speaking(spoken, batch.sounds, batch.place)
        self._note_lessons(notes)
        return len(spoken) / frames * loss

    def _lessons_of_words(self, middle, batch, words):
        loss, notes = self.model.lessons.words(middle, batch.word_sounds)
        self._note_lessons(notes)
        return len(middle) / words * loss

    def _lessons_of_pictures(self, name, middle, labels, codes):
        loss, notes = self.model.lessons.things(name, middle, labels)
        self._note_lessons(notes)
        return len(middle) / codes * loss

    def _note_lessons(self, notes):
        for name, (losses, hits) in notes.items():
            self._note(name, losses.detach(), hits)

    @staticmethod
    def _normalise(batches):
        """Weights of each group sum to the group's weight over the worker's step."""
        for kinds, weight in zip(sequences.GROUPS, sequences.GROUP_WEIGHTS):
            members = [torch.isin(b.kind, torch.tensor(kinds)) for b in batches]
            total = sum(float(b.weight[m].sum()) for b, m in zip(batches, members))
            for batch, mine in zip(batches, members):
                batch.weight[mine] *= weight / max(total, 20.0)  # a group of few words must not shout

    def _audio(self, h, codes, frames):
        y = self.model.depth(h, codes)
        inside = codes[:, 0] != CODEBOOK_SIZES[0]
        share = AUDIO_WEIGHT / (FIRST_CODEBOOK_WEIGHT + OTHER_CODEBOOK_WEIGHT * (len(CODEBOOK_SIZES) - 1))
        total = 0.0
        for k, head in enumerate(self.model.depth_heads):
            rows = y[:, k].contiguous() if k == 0 else y[inside, k].contiguous()
            target = codes[:, 0].contiguous() if k == 0 else codes[inside, k].contiguous()
            factor = FIRST_CODEBOOK_WEIGHT if k == 0 else OTHER_CODEBOOK_WEIGHT
            weight = torch.full((len(rows),), share * factor / frames)
            loss, each, hits = kernels.HeadLoss.apply(rows, head, target, weight)
            self._note(f"code{k}", each, hits)
            if k == 0:
                self._note("audio_over", each[~inside], hits[~inside])
            total = total + loss
        return total


class Feeder:
    """Hands out one worker's sequences for a step, in micro-batches."""

    def __init__(self, options, tokenizer, worker):
        seed = options.seed * 1000 + worker + int(1e6 * options.elapsed)
        self.spoken = None
        if options.stage == "spoken":
            about = (options.heard_share, options.speak_share)
            self.spoken = mixture.SpokenSource(options.data, tokenizer, CODEBOOK_SIZES, seed, *about)
        typed = mixture.TypedSource(tokenizer, CODEBOOK_SIZES, seed)
        shares = [(typed, options.typed_share if options.stage == "spoken" else 1.0)]
        if options.pictures:
            pictures = mixture.PictureSource(options.pictures, tokenizer, CODEBOOK_SIZES, seed)
            shares.append((pictures, options.picture_share))
            if options.drawing_share:
                drawings = mixture.PictureSource(options.pictures, tokenizer, CODEBOOK_SIZES, seed, "drawn", self.spoken)
                shares.append((drawings, options.drawing_share))
            if options.scene_share:
                scenes = mixture.SceneSource(options.pictures, CODEBOOK_SIZES, seed)
                shares.append((scenes, options.scene_share))
            if options.interview_share:
                interviews = mixture.InterviewSource(options.pictures, tokenizer, CODEBOOK_SIZES, seed)
                shares.append((interviews, options.interview_share))
        if self.spoken:
            shares.append((self.spoken, 1.0 - sum(share for _, share in shares)))
        whole = sum(share for _, share in shares)
        self.streams = [mixture.Bucketed(source.draw, round(options.rows * share / whole)) for source, share in shares]

    def next(self):
        chosen = [s for stream in self.streams for s in stream.next()]
        groups, rows = [[]], 0
        for sequence in chosen:
            if groups[-1] and rows + len(sequence) > MICRO_BATCH:
                groups.append([])
                rows = 0
            groups[-1].append(sequence)
            rows += len(sequence)
        return groups, sum(len(s) for s in chosen), len(chosen)

    def refresh(self):
        return self.spoken.refresh() if self.spoken else 0


class Trainer:
    """One worker's loop. Worker 0 keeps the clock, writes the log and the checkpoints."""

    def __init__(self, options, model, optimiser, tokenizer, control):
        self.options, self.model, self.optimiser = options, model, optimiser
        self.tokenizer, self.control = tokenizer, control
        self.schedule = options.schedule_minutes or options.minutes
        self.before = checkpoints.minutes_of(options.resume) if options.resume else 0.0  # trained in earlier sittings

    def _done(self, minutes):
        return min(1.0, (minutes + self.options.elapsed) / self.schedule)

    def _rate(self, minutes, step):
        cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * self._done(minutes)))
        warm_up = 1.0 if self.options.elapsed else min(1.0, (step + 1) / WARM_UP_STEPS)
        return self.options.rate * warm_up * cosine

    def run(self, worker):
        torch.set_num_threads(1)
        options = self.options
        torch.manual_seed(options.seed * 100 + worker)
        noise = np.random.default_rng(options.seed * 100 + worker + 7)
        self.optimiser.attach(worker)
        feeder = Feeder(options, self.tokenizer, worker)
        losses = Losses(self.model, noise)
        log = monitor.Log(options.out) if worker == 0 else None
        started = last_log = last_save = last_evaluation = time.time()
        step, rows, count = self.optimiser.step_count, 0, 0
        while True:
            minutes = (time.time() - started) / 60
            if worker == 0:
                over = minutes >= options.minutes
                due = over or time.time() - last_evaluation > 60 * options.evaluate_minutes
                self.control[:] = torch.tensor([self._rate(minutes, step), float(over), float(due), minutes])
            groups, some, sequences_drawn = feeder.next()
            losses.run(groups, self._done(minutes))
            rows, count, step = rows + some, count + sequences_drawn, step + 1
            self.optimiser.barrier.wait()  # control is now readable, and is not written before the step is over
            rate, over, due, minutes = self.control.tolist()
            norm = self.optimiser.step(rate)
            if worker == 0 and time.time() - last_log > 30:
                speed = options.workers * rows / (time.time() - last_log)
                about = dict(step=step, minutes=round(self.before + minutes, 2), rate=round(rate, 6), rows_per_s=round(speed))
                about.update(gradient=round(norm, 3), sequences=count * options.workers, shards=self._shards(feeder))
                log.write({**about, **losses.figures()})
                last_log, rows = time.time(), 0
            if step % 20 == 0:
                feeder.refresh()
            if worker == 0 and (over or due or time.time() - last_save > 60 * options.checkpoint_minutes):
                checkpoints.save(options.out, self.model, self.optimiser, step, self.before + minutes)
                last_save = time.time()
            if due:
                figures = monitor.evaluate(self.model, self.tokenizer, options, worker, bool(over))
                self.optimiser.barrier.wait()
                if worker == 0:
                    log.write({"evaluation": True, "step": step, "minutes": round(self.before + minutes, 2), **figures()})
                last_evaluation = time.time()
                self.optimiser.barrier.wait()
            if over:
                return

    @staticmethod
    def _shards(feeder):
        return len(feeder.spoken.seen) if feeder.spoken else 0


def main():
    options = parse()
    torch.set_num_threads(1)
    os.makedirs(options.out, exist_ok=True)
    tokenizer = tokenizers.load()
    config = wren.ModelConfig(symbols.VOCABULARY, CODEBOOK_SIZES)
    heard, spoken = (checkpoints.codebook_vectors(path, CODEBOOK_SIZES) for path in (options.hearing, options.codec))
    model = wren.Wren(config, heard, spoken, options.seed)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(options.workers, timeout=BARRIER_SECONDS)
    if options.init:
        print(checkpoints.load_weights(options.init, model), flush=True)
    elif options.resume:
        print(checkpoints.load_weights(options.resume, model, everything=True), flush=True)
    optimiser = optimisers.SharedOptimiser(model, options.workers, barrier, options.optimiser == "muon")
    if options.resume:
        checkpoints.load_optimiser(options.resume, optimiser)
    control = torch.zeros(4, dtype=torch.float64).share_memory_()
    trainer = Trainer(options, model, optimiser, tokenizer, control)
    others = [context.Process(target=trainer.run, args=(w,)) for w in range(1, options.workers)]
    for process in others:
        process.start()
    trainer.run(0)
    for process in others:
        process.join()


if __name__ == "__main__":
    main()
