"""Codebooks of vector quantisers, and how several processes train them together."""

import torch
import torch.nn as nn


class Codebook(nn.Module):
    """Nearest-neighbour vectors, kept as moving averages of what fell to them (van den Oord et al. 2017,
    appendix A.1; restarts after Dhariwal et al. 2020)."""

    def __init__(self, size, width):
        super().__init__()
        self.size, self.width = size, width
        self.register_buffer("vectors", torch.zeros(size, width))
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", torch.zeros(size, width))

    def nearest(self, x):
        flat = x.reshape(-1, self.width)
        distance = (self.vectors**2).sum(1) - 2 * flat @ self.vectors.t()
        return distance.argmin(1).view(x.shape[:-1])

    def start(self, x, generator):
        flat = x.reshape(-1, self.width)
        pick = torch.randint(0, len(flat), (self.size,), generator=generator)
        jitter = 0.01 * flat.std() * torch.randn(self.size, self.width, generator=generator)
        self.vectors.copy_(flat[pick] + jitter)
        # Little weight, so that entries which the moving encoder leaves behind are soon seen to be dead.
        self.counts.fill_(0.05)
        self.sums.copy_(self.vectors * 0.05)

    def statistics(self, x, codes):
        flat, codes = x.reshape(-1, self.width), codes.reshape(-1)
        counts = torch.bincount(codes, minlength=self.size).float()
        return counts, torch.zeros(self.size, self.width).index_add_(0, codes, flat)

    def update(self, counts, sums, decay, revive, generator):
        """Moves towards a step's statistics; entries used under 3 % of their share restart at vectors of `revive`."""
        self.counts.mul_(decay).add_(counts, alpha=1 - decay)
        self.sums.mul_(decay).add_(sums, alpha=1 - decay)
        self.vectors.copy_(self.sums / self.counts.clamp(min=1e-4).unsqueeze(1))
        if revive is not None:
            share = float(counts.sum()) / self.size
            dead = (self.counts < 0.03 * share).nonzero().squeeze(1)
            if len(dead):
                flat = revive.reshape(-1, self.width)
                new = flat[torch.randint(0, len(flat), (len(dead),), generator=generator)]
                self.counts[dead] = 0.3 * share
                self.sums[dead] = 0.3 * share * new
                self.vectors[dead] = new


def perplexity(codes):
    """How many codes are in use, by entropy."""
    share = torch.bincount(codes).float()
    share = share[share > 0] / share.sum()
    return round(float(torch.exp(-(share * share.log()).sum())))


class CodebookStatistics:
    """Each process's counts and sums of a step in shared memory; rank 0 folds them into the codebooks."""

    def __init__(self, books, world):
        self.books = list(books)
        self.counts = [torch.zeros(world, b.size).share_memory_() for b in self.books]
        self.sums = [torch.zeros(world, b.size, b.width).share_memory_() for b in self.books]

    def record(self, rank, inputs):
        for k, (book, (x, codes)) in enumerate(zip(self.books, inputs)):
            self.counts[k][rank], self.sums[k][rank] = book.statistics(x, codes)

    def update(self, inputs, step, generator):
        decay = 0.96 if step < 400 else 0.99
        for k, book in enumerate(self.books):
            revive = inputs[k][0] if step % 20 == 19 else None
            book.update(self.counts[k].sum(0), self.sums[k].sum(0), decay, revive, generator)
