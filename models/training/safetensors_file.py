"""Reads and writes the safetensors container (8-byte header length, JSON header, raw little-endian data).

Debian ships no safetensors module and the format is fifty lines, so we write it ourselves. The header is padded
so that the data begins at a multiple of 64 bytes: the runtime reads matrices from the memory-mapped file in place.
"""

import json
import struct

import numpy as np
import torch

_ALIGNMENT = 64
_TO_TORCH = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "U8": torch.uint8,
}
_TO_NAME = {dtype: name for name, dtype in _TO_TORCH.items()}


def round_to_bfloat16(tensor):
    """float32 -> bfloat16, round to nearest, ties to even, done on the bits so that no back end can differ."""
    bits = tensor.detach().to(torch.float32).contiguous().numpy().view(np.uint32)
    if not np.isfinite(bits.view(np.float32)).all():
        raise ValueError("weights must be finite")
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return torch.from_numpy(rounded.view(np.int16).copy()).view(torch.bfloat16).reshape(tensor.shape)


def _raw_bytes(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:  # numpy has no bfloat16
        tensor = tensor.view(torch.int16)
    return tensor.numpy().tobytes()


def write_safetensors(path, tensors, metadata=None):
    """Writes `tensors` (name -> torch.Tensor) to `path`, in the order of the dictionary."""
    header = {}
    if metadata:
        header["__metadata__"] = {str(k): str(v) for k, v in metadata.items()}
    offset = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TO_NAME[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-(8 + len(encoded)) % _ALIGNMENT)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(encoded)))
        out.write(encoded)
        for tensor in tensors.values():
            out.write(_raw_bytes(tensor))


def read_safetensors(path):
    """Reads a file written by write_safetensors (or any other writer of the format) into name -> tensor."""
    with open(path, "rb") as source:
        data = source.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    base = 8 + length
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = _TO_TORCH[entry["dtype"]]
        raw = np.frombuffer(data[base + begin : base + end], dtype=np.uint8).copy()
        tensors[name] = torch.from_numpy(raw).view(dtype).reshape(entry["shape"])
    return tensors
