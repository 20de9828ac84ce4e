"""Checkpoints from a model folder, to go on training where its weights stand.

    python3 restore_codec.py --model ../../wren --codec codec_tokens.pt --decoder decoder.pt

codec_tokens.pt is a state for model.Codec, decoder.pt one for SourceFilterDecoder. What served training alone (the
phoneme read-out, the first stage's decoder, statistics of the codebooks) was never exported and is as new:
train_hearing.py learns the read-out first, with --readout-steps.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "language"))  # last: has names that are here too

import torch

from layers import CausalConv, Residual
from model import Codec
from safetensors_file import read_safetensors
from source_filter import SourceFilterDecoder


def _restore_conv(conv, tensors, name):
    conv.weight.copy_(tensors[name + ".weight"].float().view_as(conv.weight))
    conv.bias.copy_(tensors[name + ".bias"].float())


def _restore_stack(layers, tensors, name):
    for i, layer in enumerate(layers):
        at = f"{name}.{i}"
        if isinstance(layer, Residual):
            _restore_conv(layer.inner, tensors, at + ".inner")
            _restore_conv(layer.outer, tensors, at + ".outer")
        else:
            _restore_conv(layer if isinstance(layer, CausalConv) else layer.conv, tensors, at)


@torch.no_grad()
def restored(folder):
    """-> (codec, decoder) with the weights of the model folder, the inverse of export.collect."""
    tensors = read_safetensors(os.path.join(folder, "audio_codec.safetensors"))
    codec, decoder = Codec(), SourceFilterDecoder()
    for part in ("trunk", "semantic", "acoustic"):
        _restore_stack(getattr(codec.encoder, part), tensors, f"encoder.{part}")
    for k, book in enumerate(codec.quantiser.books):
        book.vectors.copy_(tensors[f"quantizer.{k}.vectors"].float())
    codec.quantiser.predict.weight.copy_(tensors["quantizer.predict.weight"].float())
    codec.quantiser.predict.bias.copy_(tensors["quantizer.predict.bias"].float())
    _restore_stack(decoder.net, tensors, "decoder.net")
    _restore_stack([decoder.filters], tensors, "decoder.filters")
    _restore_stack(decoder.pitch, tensors, "decoder.pitch")
    decoder.filters.bias -= decoder.filter_offset
    decoder.pitch[1].conv.bias -= decoder.pitch_offset
    return codec, decoder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"))
    parser.add_argument("--codec", required=True)
    parser.add_argument("--decoder", required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    codec, decoder = restored(options.model)
    torch.save(codec.state_dict(), options.codec)
    torch.save(decoder.state_dict(), options.decoder)


if __name__ == "__main__":
    main()
