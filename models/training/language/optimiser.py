"""Parameters, gradients and optimiser state in memory that all worker processes share.

Every worker adds its gradients to its own row; then each updates its share of the parameters from the sum of all rows.
Matrices between hidden spaces take an orthogonalised momentum step (Muon: the momentum's singular values are all set
near one by a Newton-Schulz iteration), everything else AdamW. docs/wren_training.md has the comparison.
"""

import math

import torch

from language import kernels

BETA1, BETA2 = 0.9, 0.98
MOMENTUM = 0.95
DECAY = 0.05
# A step of an orthogonalised matrix is scaled to this root mean square, about what AdamW takes, so that both share
# one learning rate.
ORTHOGONAL_RMS = 0.2


def _newton_schulz(gram, a=3.4445, b=-4.7750, c=2.0315):
    """The polynomial a + b G + c G^2 that moves a matrix with Gram matrix G towards orthogonality."""
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


def orthogonalise(matrix, steps=4):
    """Nearest semi-orthogonal matrix, roughly: large singular values end up between 0.6 and 1.2.

    The steps' factors are polynomials of one Gram matrix, so for a long matrix they are multiplied up in the small
    dimension and applied once.
    """
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.t()
    x = x / (x.norm() + 1e-7)
    if x.shape[0] == x.shape[1]:
        for _ in range(steps):
            x = _newton_schulz(x @ x.t()) @ x
    else:
        gram, product = x @ x.t(), None
        for step in range(steps):
            factor = _newton_schulz(gram)
            product = factor if product is None else product @ factor
            if step < steps - 1:
                gram = factor @ gram @ factor
        x = product @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.t()


class SharedOptimiser:
    """Create before forking; `attach(worker)` in each process. `barrier` is a multiprocessing barrier."""

    def __init__(self, model, workers, barrier, muon=True):
        self.model, self.workers, self.barrier = model, workers, barrier
        stacked = model.orthogonal_matrices() if muon else []
        first = {id(p) for p, _ in stacked}
        ordered = [p for p, _ in stacked] + [p for p in model.parameters() if id(p) not in first]
        self.parameters = ordered
        self.count = sum(p.numel() for p in ordered)
        shared = lambda *shape: torch.zeros(*shape).share_memory_()
        self.flat, self.gradients = shared(self.count), shared(workers, self.count)
        self.mean, self.square, self.decay = shared(self.count), shared(self.count), torch.zeros(self.count)
        self.energy = torch.zeros(workers, dtype=torch.float64).share_memory_()
        self.step_count = 0
        self._bind(stacked)

    def _bind(self, stacked):
        self.ranges, offset = [], 0
        for p in self.parameters:
            end = offset + p.numel()
            self.flat[offset:end] = p.data.reshape(-1)
            p.data = self.flat[offset:end].view_as(p)
            self.decay[offset:end] = DECAY if p.dim() > 1 else 0.0
            self.ranges.append((offset, end))
            offset = end
        self.matrices, at = [], 0  # (begin, end, rows, columns)
        for p, count in stacked:
            rows = p.shape[0] // count
            for _ in range(count):
                self.matrices.append((at, at + rows * p.shape[1], rows, p.shape[1]))
                at += rows * p.shape[1]
        self.elementwise_begin = at

    def attach(self, worker):
        self.worker = worker
        for p, (begin, end) in zip(self.parameters, self.ranges):
            p.grad = self.gradients[worker, begin:end].view_as(p)
        cost = lambda m: min(m[2], m[3]) * m[2] * m[3]
        load = [0] * self.workers
        self.mine = []
        for matrix in sorted(self.matrices, key=cost, reverse=True):  # biggest first, to whoever has least
            owner = load.index(min(load))
            load[owner] += cost(matrix)
            if owner == worker:
                self.mine.append(matrix)
        share = (self.count - self.elementwise_begin) // self.workers
        self.begin = self.elementwise_begin + worker * share
        self.end = self.count if worker == self.workers - 1 else self.begin + share

    def _energy_of(self, begin, end):
        view = self.gradients[0, begin:end]
        return kernels.call("gradient_energy", view, self.workers, self.count, end - begin)

    def step(self, rate, clip=1.0):
        """All workers call this together after their backward passes -> gradient norm (of the mean over workers)."""
        self.barrier.wait()
        self.step_count += 1
        mine = [(m[0], m[1]) for m in self.mine] + [(self.begin, self.end)]
        self.energy[self.worker] = sum(self._energy_of(begin, end) for begin, end in mine)
        self.barrier.wait()
        norm = math.sqrt(float(self.energy.sum())) / self.workers
        if not math.isfinite(norm):  # skip the step, on every worker alike
            self.gradients[self.worker].zero_()
            self.barrier.wait()
            return norm
        scale = min(1.0, clip / (norm + 1e-12)) / self.workers
        for matrix in self.mine:
            self._orthogonal_step(matrix, rate, scale)
        self._adam_step(self.begin, self.end, rate, scale)
        self.barrier.wait()
        return norm

    def _orthogonal_step(self, matrix, rate, scale):
        begin, end, rows, columns = matrix
        gradient = self.gradients[:, begin:end].sum(0).mul_(scale)
        self.gradients[:, begin:end] = 0
        momentum = self.mean[begin:end]
        momentum.mul_(MOMENTUM).add_(gradient, alpha=1 - MOMENTUM)
        ahead = torch.lerp(gradient, momentum, MOMENTUM).view(rows, columns)
        update = orthogonalise(ahead)
        weight = self.flat[begin:end].view(rows, columns)
        weight.mul_(1 - rate * DECAY).add_(update, alpha=-rate * ORTHOGONAL_RMS * math.sqrt(max(rows, columns)))

    def _adam_step(self, begin, end, rate, scale):
        correction1, correction2 = 1 - BETA1**self.step_count, 1 - BETA2**self.step_count
        tensors = (self.flat[begin:end], self.gradients[0, begin:end])
        state = (self.mean[begin:end], self.square[begin:end], self.decay[begin:end])
        constants = (scale, rate, BETA1, BETA2, correction1, correction2)
        kernels.call("adamw", *tensors, self.workers, self.count, *state, end - begin, *map(float, constants))

    def state(self):
        return {"mean": self.mean.clone(), "square": self.square.clone(), "step": self.step_count}

    def load(self, state):
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.step_count = state["step"]
