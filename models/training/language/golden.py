"""Recorded conversations for the C++ tests: what the reference decoder read and wrote, position by position.

`<name>.json` describes the conversations; `<name>.safetensors` holds, for conversation i of T positions:

  c{i}.symbol  I32 [T]     symbol read               c{i}.heard   I32 [T, K]  heard frame read, -1: none
  c{i}.spoken  I32 [T, K]  spoken frame read, -1: none
  c{i}.phase   I32 [T]     use of the symbol output: 0 none, 1 hearing, 2 answering, 3 after <end>, 4 a picture's code,
                           5 a picture's end
  c{i}.written I32 [T]     symbol written, -1: the position's output is not used
  c{i}.frame   I32 [T, K]  spoken frame written, -1: none (only codebook 0 is set where audio ends)
  c{i}.at      I32 [P]     positions whose logits are recorded: c{i}.logits F32 [P, V] before any mask,
  c{i}.depth_at I32 [D]    and positions of c{i}.depth_logits.{k} F32 [D, size of head k] (teacher-forced by the codes
                           written there)

Only conversations are recorded in which every decision was taken by a clear margin, so that another order of the
same float32 sums gives the same tokens.
"""

import json
import math

import torch

from safetensors_file import write_safetensors
from language import decode

SMALLEST_MARGIN = 2e-3


def is_clear(row):
    """True if every decision was taken by a clear margin and no answer was cut by a limit."""
    return all(p.margin > SMALLEST_MARGIN for p in row.trace) and all(r.complete for r in row.results)


def _frames(values, codebooks):
    return torch.tensor(
        [[-1] * codebooks if v is None else [int(c) for c in v] + [-1] * (codebooks - len(v)) for v in values],
        dtype=torch.int32,
    )


def _pick(positions, count):
    if len(positions) <= count:
        return positions
    return [positions[round((i + 0.5) * len(positions) / count - 0.5)] for i in range(count)]


def _tensors(prefix, trace, codebooks, logit_count, depth_count):
    ints = lambda values: torch.tensor(values, dtype=torch.int32)
    out = {
        "symbol": ints([p.symbol for p in trace]),
        "heard": _frames([p.heard for p in trace], codebooks),
        "spoken": _frames([p.spoken for p in trace], codebooks),
        "phase": ints([p.phase for p in trace]),
        "written": ints([p.written for p in trace]),
        "frame": _frames([p.written_codes for p in trace], codebooks),
    }
    at = _pick([i for i, p in enumerate(trace) if p.phase in (1, 2)], logit_count)
    out["at"] = ints(at)
    out["logits"] = torch.stack([trace[i].logits for i in at])
    whole = [i for i, p in enumerate(trace) if p.written_codes is not None and len(p.written_codes) == codebooks]
    depth_at = _pick(whole, depth_count)
    if depth_at:
        out["depth_at"] = ints(depth_at)
        for k in range(codebooks):
            out[f"depth_logits.{k}"] = torch.stack([trace[i].depth_logits[k] for i in depth_at])
    return {prefix + name: tensor for name, tensor in out.items()}


def _describe(row, labels, piece_text):
    turns = []
    for turn, result, label in zip(row.turns, row.results, labels):
        entry = {"input": "typed" if turn.heard is None else "heard", "speak": turn.speak, "answer_pieces": result.text}
        entry["spoken_frames"] = len(result.codes)
        if turn.shown:
            entry["shown"] = [[int(code) for code in codes] for codes in turn.shown]
        if turn.pictures != 1:
            entry["pictures"] = turn.pictures
        if result.drawn:
            entry["drawn"] = result.drawn
        if result.manner:
            entry["manner"] = result.manner
        if turn.heard is None:
            entry["typed_pieces"] = list(turn.typed)
        else:
            entry["heard_frames"] = len(turn.heard)
            entry["endpoint_frame"] = result.endpoint_frame
            entry["endpoint_forced"] = result.endpoint_forced
            entry["transcript_pieces"] = [piece for piece, _ in result.transcript]
        if label:
            entry["question"] = label
        if piece_text:
            entry["answer"] = piece_text(result.text)
            if turn.heard is not None:
                entry["transcript"] = piece_text(entry["transcript_pieces"])
        turns.append(entry)
    return {"turns": turns, "smallest_margin": round(min([p.margin for p in row.trace if p.margin < math.inf]), 5)}


def write_rows(path, model, rows, labels, about, piece_text=None, limits=None, logit_count=2):
    """Records decoded rows (`labels`: the question texts of each or None) at `path` + .safetensors/.json -> how many."""
    limits = limits or decode.Limits()
    tensors, described = {}, []
    for index, (row, label) in enumerate(zip(rows, labels)):
        tensors.update(_tensors(f"c{index}.", row.trace, model.codebooks, logit_count, 1 - index % 2))
        described.append(_describe(row, label, piece_text))
    write_safetensors(path + ".safetensors", tensors)
    summary = {
        "about": about,
        "weights": "rounded to bfloat16, computed in float32",
        "endpoint_threshold": model.config["sampling"]["endpoint_threshold"],
        "max_text_pieces": limits.pieces,
        "max_spoken_frames": limits.frames,
        "logit_tolerance": 1e-3,
        "conversations": described,
    }
    with open(path + ".json", "w") as out:
        json.dump(summary, out, indent=1)
        out.write("\n")
    return len(described)
