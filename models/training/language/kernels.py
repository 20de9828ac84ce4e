"""Compiles kernels.c and makes one transformer block, the norm and the cross-entropy out of it for autograd.

A block is one autograd function with a backward pass by hand: weight gradients are accumulated by the matrix product
itself into `.grad` (a view of the memory the workers share), and nothing is padded.
"""

import ctypes
import hashlib
import os
import subprocess

import torch

_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.c")


def _load():
    flags = ["-O3", "-march=native", "-ffast-math", "-fPIC", "-shared"]
    with open(_SOURCE, "rb") as source, open("/proc/cpuinfo", "rb") as processors:
        processor = next((line for line in processors if line.startswith(b"flags")), b"")
        digest = hashlib.sha256(source.read() + processor + repr(flags).encode()).hexdigest()[:16]
    # A folder that nobody else can write to: what lies in it is run.
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "antiphon")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    library = os.path.join(folder, f"wren_kernels_{digest}.so")
    if not os.path.exists(library):
        partial = f"{library}.{os.getpid()}"
        subprocess.run(["gcc", *flags, _SOURCE, "-o", partial, "-lopenblas", "-lm"], check=True)
        os.replace(partial, library)
    loaded = ctypes.CDLL(library)
    loaded.gradient_energy.restype = ctypes.c_double
    return loaded


_library = _load()


def _arguments(values):
    for value in values:
        if isinstance(value, torch.Tensor):
            assert value.is_contiguous()
            yield ctypes.c_void_p(value.data_ptr())
        elif isinstance(value, int):
            yield ctypes.c_int64(value)
        else:
            yield ctypes.c_float(value)


def call(name, *values):
    """Calls a function of kernels.c; tensors go as pointers, Python integers as int64, floats as float."""
    return getattr(_library, name)(*_arguments(values))


class Packing:
    """Where the sequences of a packed batch lie. starts: list of first rows, ending with the row count."""

    def __init__(self, starts, positions=None):
        self.starts = torch.tensor(starts, dtype=torch.int32)
        self.sequences = len(starts) - 1
        lengths = [b - a for a, b in zip(starts, starts[1:])]
        self.longest = max(lengths)
        self.squares = sum(n * n for n in lengths)
        self.positions = positions  # int32 [rows], None: no rotary embedding


def rotary_table(positions, head_width, theta):
    half = head_width // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(positions, dtype=torch.float32)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()], 1).contiguous()


def _norm(x, weight, eps):
    y, inverse = torch.empty_like(x), torch.empty(x.shape[0])
    call("rms_norm_forward", x, weight, y, inverse, x.shape[0], x.shape[1], eps)
    return y, inverse


class RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        x = x.contiguous()
        y, inverse = _norm(x, weight, eps)
        ctx.save_for_backward(x, weight, inverse)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, inverse = ctx.saved_tensors
        dx = torch.zeros_like(x)
        call("rms_norm_backward", x, weight, inverse, dy.contiguous(), dx, weight.grad, x.shape[0], x.shape[1])
        return dx, None, None


class Block(torch.autograd.Function):
    """x + wo(attention(norm(x))), then x + w_down(swiglu(norm(x))). Weights must have `.grad` allocated."""

    @staticmethod
    def forward(ctx, x, attn_norm, wqkv, wo, mlp_norm, w_gate_up, w_down, heads, eps, packing, table):
        rows, width = x.shape[0], wo.shape[1]
        n1, inverse1 = _norm(x, attn_norm, eps)
        qkv = n1 @ wqkv.t()
        if packing.positions is not None:
            call("rotate", qkv, table, packing.positions, rows, heads, width // heads, 1.0)
        probability = torch.empty(heads * packing.squares)
        mixed = torch.empty(rows, width)
        call("attention_forward", qkv, packing.starts, packing.sequences, heads, width // heads, probability, mixed)
        middle = torch.addmm(x, mixed, wo.t())
        n2, inverse2 = _norm(middle, mlp_norm, eps)
        both = n2 @ w_gate_up.t()
        active = torch.empty(rows, w_down.shape[1])
        call("swiglu_forward", both, active, rows, w_down.shape[1])
        ctx.weights = (attn_norm, wqkv, wo, mlp_norm, w_gate_up, w_down)
        ctx.kept = (x, n1, inverse1, qkv, probability, mixed, middle, n2, inverse2, both, active)
        ctx.constants = (heads, packing, table)
        return torch.addmm(middle, active, w_down.t())

    @staticmethod
    def backward(ctx, dy):
        attn_norm, wqkv, wo, mlp_norm, w_gate_up, w_down = ctx.weights
        x, n1, inverse1, qkv, probability, mixed, middle, n2, inverse2, both, active = ctx.kept
        heads, packing, table = ctx.constants
        ctx.kept = None
        rows, width = mixed.shape
        dy = dy.contiguous()
        w_down.grad.addmm_(dy.t(), active)
        call("swiglu_backward", both, dy @ w_down, rows, w_down.shape[1])
        w_gate_up.grad.addmm_(both.t(), n2)
        dmiddle = dy.clone()
        call("rms_norm_backward", middle, mlp_norm, inverse2, both @ w_gate_up, dmiddle, mlp_norm.grad, rows, x.shape[1])
        wo.grad.addmm_(dmiddle.t(), mixed)
        dqkv, scratch = torch.zeros_like(qkv), torch.empty(64 * packing.longest)
        sizes = (packing.sequences, heads, width // heads)
        call("attention_backward", qkv, probability, dmiddle @ wo, packing.starts, *sizes, dqkv, scratch)
        if packing.positions is not None:
            call("rotate", dqkv, table, packing.positions, rows, heads, width // heads, -1.0)
        wqkv.grad.addmm_(dqkv.t(), n1)
        call("rms_norm_backward", x, attn_norm, inverse1, dqkv @ wqkv, dmiddle, attn_norm.grad, rows, x.shape[1])
        return (dmiddle,) + (None,) * 10


class HeadLoss(torch.autograd.Function):
    """sum(weight * cross_entropy(h @ head^T, target)); also hands out the per-row losses and hits, unweighted."""

    @staticmethod
    def forward(ctx, h, head, target, weight):
        logits = h @ head.t()
        loss, correct = torch.empty(h.shape[0]), torch.empty(h.shape[0])
        call("cross_entropy", logits, target, weight, loss, correct, logits.shape[0], logits.shape[1])
        ctx.kept = (h, head, logits)
        ctx.mark_non_differentiable(loss, correct)
        return (loss * weight).sum(), loss, correct

    @staticmethod
    def backward(ctx, dtotal, _loss, _correct):
        h, head, dlogits = ctx.kept
        ctx.kept = None
        scale = float(dtotal)
        head.grad.addmm_(dlogits.t(), h, alpha=scale)
        return (dlogits @ head).mul_(scale), None, None, None
