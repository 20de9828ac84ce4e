"""Data-parallel training of a small model by single-thread processes that share memory.

Two processes of one thread each use two cores better than one process with two threads. Parameters and buffers live in
shared memory; every process writes its gradient into its row of a shared matrix, and after a barrier each updates its
own slice of all parameters with AdamW.
"""

import math
import os
import sys

import torch
import torch.multiprocessing as mp

BARRIER_SECONDS = 900  # more than any evaluation takes


def use_heap_for_temporaries():
    """Starts the program again with a malloc that keeps large temporaries: page faults dominate otherwise."""
    if os.environ.get("MALLOC_MMAP_MAX_") != "0":
        os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="17179869184", MALLOC_TOP_PAD_="268435456",
                          OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        os.execv(sys.executable, sys.orig_argv)


class SharedTrainer:
    """Create in the parent, fork, then call `attach(rank)` in each process and `step` together in all."""

    def __init__(self, parameters, world, betas=(0.8, 0.99), decay=1e-3, clip=1.0):
        self.parameters, self.world = list(parameters), world
        self.betas, self.clip = betas, clip
        total = sum(p.numel() for p in self.parameters)
        self.values = torch.empty(total).share_memory_()
        self.gradients = torch.zeros(world, total).share_memory_()
        self.norms = torch.zeros(world, dtype=torch.float64).share_memory_()
        self.decay = torch.zeros(total)
        # A process that died must not keep the others waiting for ever.
        self.barrier = mp.get_context("fork").Barrier(world, timeout=BARRIER_SECONDS)
        for p, where in self._slices():
            self.values[where] = p.data.reshape(-1)
            p.data = self.values[where].view_as(p)
            self.decay[where] = decay if p.dim() > 1 else 0.0

    def _slices(self):
        start = 0
        for p in self.parameters:
            yield p, slice(start, start + p.numel())
            start += p.numel()

    def attach(self, rank):
        self.rank = rank
        for p, where in self._slices():
            p.grad = self.gradients[rank, where].view_as(p)
        size = len(self.values)
        self.mine = slice(rank * size // self.world, (rank + 1) * size // self.world)
        self.first = torch.zeros(self.mine.stop - self.mine.start)
        self.second = torch.zeros_like(self.first)
        self.count = 0

    def step(self, rate, while_idle=None):
        """Averages the gradients and updates; `while_idle` runs in rank 0 after all gradients are there. Returns the
        norm of the whole gradient."""
        self.barrier.wait()
        if while_idle is not None and self.rank == 0:
            while_idle()
        gradient = self.gradients[:, self.mine].mean(0)
        self.norms[self.rank] = float(gradient.norm()) ** 2
        self.barrier.wait()
        norm = math.sqrt(float(self.norms.sum()))
        if math.isfinite(norm):
            self.count += 1
            if norm > self.clip:
                gradient.mul_(self.clip / norm)
            b1, b2 = self.betas
            self.first.mul_(b1).add_(gradient, alpha=1 - b1)
            self.second.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
            values = self.values[self.mine]
            values.addcmul_(values, self.decay[self.mine], value=-rate)
            root = self.second.sqrt().mul_(1 / math.sqrt(1 - b2**self.count)).add_(1e-8)
            values.addcdiv_(self.first, root, value=-rate / (1 - b1**self.count))
        self.gradients[self.rank].zero_()
        self.barrier.wait()
        return norm
