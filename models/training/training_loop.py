"""What the codecs' training stages have in common: processes, schedule, log, evaluations, checkpoints.

The rate rises for 100 steps and then falls as a cosine over the minutes given. Every 20 seconds the mean losses are
printed and appended to OUT.jsonl, one JSON object a line; evaluations too. OUT.part is the latest checkpoint while the
run lasts, OUT the last one.
"""

import json
import math
import os
import time

import torch
import torch.multiprocessing as mp

from shared_training import SharedTrainer

WARM_UP_STEPS = 100
LOG_SECONDS = 20
LAST_RATE = 0.03  # of the full rate, at the end of the cosine


class Stage:
    """What one stage does differently. Made in the parent; each process works on its copy after `attach`."""

    def attach(self, rank):
        """In a process of its own from here: open what is not shared, seed by rank."""

    def losses(self):
        """-> (loss of the next batch, to be differentiated; {name: part of it} for the log)."""
        raise NotImplementedError

    def between_steps(self, step):
        """Runs in rank 0 alone, once all processes have their gradients and before any begins its next batch."""

    def evaluate(self, last):
        """-> figures on held-out data; thorough after the last step. In rank 0, while the others wait."""
        raise NotImplementedError

    def state(self):
        """-> what a checkpoint holds."""
        raise NotImplementedError


def add_options(parser, out, minutes, rate, batch, seed):
    """The options every stage has, with its defaults."""
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    parser.add_argument("--out", default=os.path.join(folder, out))
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--evaluate-minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=batch, help="crops a process and step")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=seed)


class _Journal:
    """Running means of the losses, and the file they go to. Rank 0 only."""

    def __init__(self, path):
        self.file = open(path, "a")
        self.begin = self.last = time.time()
        self.step, self.last_step, self.sums = 0, 0, {}

    def minutes(self):
        return (time.time() - self.begin) / 60

    def write(self, record):
        line = json.dumps(record)
        print(line, flush=True)
        print(line, file=self.file, flush=True)

    def add(self, parts, rate, norm, stop):
        self.step += 1
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        now = time.time()
        if now - self.last < LOG_SECONDS and not stop:
            return
        taken = self.step - self.last_step
        record = {name: round(value / taken, 4) for name, value in self.sums.items()}
        record.update(step=self.step, minutes=round(self.minutes(), 2), ms=round(1000 * (now - self.last) / taken),
                      norm=round(norm, 2), rate=round(rate, 6))
        self.write(record)
        self.last, self.last_step, self.sums = now, self.step, {}


def _work(rank, options, stage, trainer, control):
    torch.set_num_threads(1)
    torch.manual_seed(options.seed * 10 + rank)
    trainer.attach(rank)
    stage.attach(rank)
    journal = _Journal(options.out + ".jsonl") if rank == 0 else None
    evaluated, step = 0.0, 0
    while True:
        if rank == 0:
            done = min(1.0, journal.minutes() / max(options.minutes, 1e-6))
            cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * done))
            control[0] = options.rate * min(1, (step + 1) / WARM_UP_STEPS) * cosine
            control[1] = done >= 1
        total, parts = stage.losses()
        total.backward()
        trainer.barrier.wait()
        rate, stop = float(control[0]), bool(control[1])
        norm = trainer.step(rate, lambda: stage.between_steps(step))
        step += 1
        if rank == 0:
            journal.add(parts, rate, norm, stop)
            if stop or journal.minutes() - evaluated > options.evaluate_minutes:
                evaluated = journal.minutes()
                journal.write(dict(stage.evaluate(stop), step=step))
                torch.save(stage.state(), options.out + ".part")
        if rank == 0 and stop:
            os.replace(options.out + ".part", options.out)
        if stop:
            return


def train(options, parameters, stage):
    """Trains the parameters in place for options.minutes."""
    trainer = SharedTrainer(parameters, options.processes)
    control = torch.zeros(2, dtype=torch.float64).share_memory_()
    arguments = (options, stage, trainer, control)
    context = mp.get_context("fork")
    others = [context.Process(target=_work, args=(rank, *arguments)) for rank in range(1, options.processes)]
    for process in others:
        process.start()
    _work(0, *arguments)
    for process in others:
        process.join()
