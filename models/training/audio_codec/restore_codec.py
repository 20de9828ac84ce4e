"""Checkpoints from a model folder, to go on training where its weights stand.

    python3 -m audio_codec.restore_codec --model ../../wren --hearing hearing_tokens.pt --codec codec_tokens.pt --decoder decoder.pt

The first two are states for model.Codec, decoder.pt is one for SourceFilterDecoder. What served training alone (the
phoneme read-out, the first stage's decoder, statistics of the codebooks) was never exported and is as new:
train_hearing.py learns the read-out first, with --readout-steps.
"""

import argparse
import os


import torch

from safetensors_file import read_safetensors
from audio_codec.layers import CausalConv, Residual
from audio_codec.model import Codec
from audio_codec.source_filter import SourceFilterDecoder


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


def _restore_codes(codec, tensors, name):
    for part in ("trunk", "semantic", "acoustic"):
        _restore_stack(getattr(codec.encoder, part), tensors, f"{name}.{part}")
    for k, book in enumerate(codec.quantiser.books):
        book.vectors.copy_(tensors[f"{name}.quantizer.{k}.vectors"].float())
        # Statistics that stand for these vectors, or the first update would move every entry to nothing.
        book.sums.copy_(book.vectors)
        book.counts.fill_(1.0)
    codec.quantiser.predict.weight.copy_(tensors[name + ".quantizer.predict.weight"].float())
    codec.quantiser.predict.bias.copy_(tensors[name + ".quantizer.predict.bias"].float())


@torch.no_grad()
def restored(folder):
    """-> (ears, codec, decoder) with the weights of the model folder, the inverse of export.collect."""
    tensors = read_safetensors(os.path.join(folder, "audio_codec.safetensors"))
    ears, codec, decoder = Codec(), Codec(), SourceFilterDecoder()
    _restore_codes(ears, tensors, "hearing")
    _restore_codes(codec, tensors, "encoder")
    _restore_stack(decoder.net, tensors, "decoder.net")
    _restore_stack([decoder.filters], tensors, "decoder.filters")
    _restore_stack(decoder.pitch, tensors, "decoder.pitch")
    decoder.filters.bias -= decoder.filter_offset
    decoder.pitch[1].conv.bias -= decoder.pitch_offset
    return ears, codec, decoder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"))
    parser.add_argument("--hearing", required=True)
    parser.add_argument("--codec", required=True)
    parser.add_argument("--decoder", required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    ears, codec, decoder = restored(options.model)
    torch.save(ears.state_dict(), options.hearing)
    torch.save(codec.state_dict(), options.codec)
    torch.save(decoder.state_dict(), options.decoder)


if __name__ == "__main__":
    main()
