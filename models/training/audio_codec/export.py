"""Writes the runtime's files: audio_codec.safetensors, its section of config.json, and golden vectors.

    python3 -m audio_codec.export --hearing hearing_tokens.pt --codec codec_tokens.pt --decoder decoder.pt --model ../../wren \\
        --golden ../../../tests/golden

Weights are float16. The golden vectors are computed from the rounded weights by this offline Python implementation: a
wave, its codes for the ears and for the codec, and the wave made from the latter; and, in a file of their own, codes said
in every manner in turn.
"""

import argparse
import json
import os


import torch

from safetensors_file import write_safetensors
from audio_codec import codec_tokens, source_filter
from audio_codec.corpus import utterances
from audio_codec.layers import SAMPLE_RATE, SLOPE, CausalConv, Down, MelSpectrogram, Project, Residual, Up
from audio_codec.model import FRAME, SIZES, VECTOR
from audio_codec.source_filter import MANNERS, SourceFilterDecoder


class Exporter:
    def __init__(self):
        self.tensors = {}

    def add(self, name, tensor):
        self.tensors[name] = tensor.detach().half().contiguous()

    def _conv(self, name, conv):
        self.add(name + ".weight", conv.weight[:, :, 0])
        self.add(name + ".bias", conv.bias)

    def _layer(self, name, layer):
        if isinstance(layer, Residual):
            self._conv(name + ".inner", layer.inner)
            self._conv(name + ".outer", layer.outer)
            return {"kind": "residual", "channels": layer.inner.weight.shape[0], "dilation": layer.inner.dilation}
        conv = layer if isinstance(layer, CausalConv) else layer.conv
        self._conv(name, conv)
        factor = layer.factor if isinstance(layer, Up) else 1
        outputs, inputs, _, kernel = conv.weight.shape
        return {"kind": "conv", "inputs": inputs, "outputs": outputs // factor, "kernel": kernel, "stride": conv.stride,
                "dilation": conv.dilation, "activate": int(isinstance(layer, (Down, Up, Project))), "factor": factor}

    def stack(self, name, layers):
        return [self._layer(f"{name}.{i}", layer) for i, layer in enumerate(layers)]

    def codes(self, name, codec):
        """What leads from the spectrogram to codes: layers, and codebooks."""
        for k, book in enumerate(codec.quantiser.books):
            self.add(f"{name}.quantizer.{k}.vectors", book.vectors)
        self.add(name + ".quantizer.predict.weight", codec.quantiser.predict.weight)
        self.add(name + ".quantizer.predict.bias", codec.quantiser.predict.bias)
        return {part: self.stack(f"{name}.{part}", getattr(codec.encoder, part)) for part in ("trunk", "semantic", "acoustic")}


def fold_constants(decoder):
    """Constants that the trainer adds to predictions become biases; the runtime need not know them."""
    with torch.no_grad():
        decoder.filters.bias += decoder.filter_offset
        decoder.pitch[1].conv.bias += decoder.pitch_offset
    decoder.filter_offset = decoder.pitch_offset = 0.0


def collect(ears, codec, decoder):
    """(tensors, section) of ears and codec."""
    out = Exporter()
    mel = codec.encoder.mel
    out.add("mel.window", mel.window)
    out.add("mel.filters", mel.filters)
    hearing, encoder = out.codes("hearing", ears), out.codes("encoder", codec)
    made = {"net": out.stack("decoder.net", decoder.net), "filters": out.stack("decoder.filters", [decoder.filters]),
            "pitch": out.stack("decoder.pitch", decoder.pitch)}
    out.add("source.window", decoder.window)
    out.add("source.noise", decoder.noise)
    section = {
        "type": "wren", "sample_rate": SAMPLE_RATE, "frame_samples": FRAME, "codebook_sizes": list(SIZES),
        "vector_size": VECTOR, "slope": SLOPE, "decoder_delay_samples": source_filter.OUTPUT_DELAY,
        "mel": {"fft": mel.FFT, "hop": mel.HOP, "bands": mel.MELS, "floor": 1e-3, "offset": 3.5, "scale": 2.5},
        "source": {"hop": source_filter.HOP, "noise_length": source_filter.NOISE_LENGTH,
                   "lowest_pitch": source_filter.MIN_PITCH, "highest_pitch": source_filter.MAX_PITCH,
                   "highest_harmonic": source_filter.HIGHEST_HARMONIC,
                   "lowest_gain": source_filter.FILTER_LOW, "highest_gain": source_filter.FILTER_HIGH},
        "hearing": hearing, "encoder": encoder, "decoder": made,
    }
    return out.tensors, section


def load_codec(path):
    """Ears or codec with weights as exported."""
    codec = codec_tokens.load(path).codec
    # Constants of the front end too: the runtime reads them from the same file.
    codec.load_state_dict(codec_tokens.rounded(codec.state_dict()))
    return codec.eval()


def load_decoder(path):
    """The decoder with weights as exported."""
    decoder = SourceFilterDecoder()
    decoder.load_state_dict(torch.load(path, map_location="cpu"))
    fold_constants(decoder)
    decoder.load_state_dict(codec_tokens.rounded(decoder.state_dict()))
    return decoder.eval()


@torch.no_grad()
def nearest_margin(codec, wave):
    """Smallest lead of a chosen code over the next best, relative to its distance: near 0, rounding may decide."""
    semantic, acoustic = codec.encoder(wave)
    books, least = codec.quantiser.books, float("inf")
    rest = acoustic - codec.quantiser.predict(books[0].vectors[books[0].nearest(semantic)])
    for k, book in enumerate(books):
        x = semantic if k == 0 else rest
        distance = torch.cdist(x[0], book.vectors).square()
        two = distance.topk(2, largest=False).values
        least = min(least, float(((two[:, 1] - two[:, 0]) / two[:, 1]).min()))
        if k > 0:
            rest = rest - book.vectors[book.nearest(x)]
    return least


@torch.no_grad()
def golden(ears, codec, decoder, folder):
    """One utterance of the output voice and one of a held-out voice, those whose codes are the least ambiguous."""
    tensors = {}
    for name, source in (("output", "eval_output"), ("heldout", "eval_input")):
        short = [u for u in utterances(folder, source) if 2 * SAMPLE_RATE < u[2].shape[1] < 3 * SAMPLE_RATE][:12]
        margin = lambda wave: min(nearest_margin(ears, wave), nearest_margin(codec, wave))
        _, _, wave, _ = max(short, key=lambda u: margin(u[2]))
        codes = codec.encode(wave)
        made, _ = decoder(codec.quantiser.decode(codes))
        print(json.dumps({"golden": name, "frames": codes.shape[1], "margin": margin(wave)}))
        tensors[f"{name}.wave"] = wave[0]
        tensors[f"{name}.heard"] = ears.encode(wave)[0].to(torch.int16)
        tensors[f"{name}.codes"] = codes[0].to(torch.int16)
        tensors[f"{name}.made"] = made[0]
    return tensors


@torch.no_grad()
def golden_manners(codec, decoder, codes):
    """codes [T, K] said in all voices at all speeds, two frames each; `manners` [T] counts MANNERS from 0."""
    order = [frame // 2 % len(MANNERS) for frame in range(min(len(codes), 4 * len(MANNERS)))]
    manners = [list(MANNERS.values())[number] for number in order]
    made = decoder.render(codec.quantiser.decode(codes[: len(order)].long()), manners)
    return {"manners": torch.tensor(order, dtype=torch.int16), "codes": codes[: len(order)].to(torch.int16),
            "made": made.half()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--hearing", default=folder + "/hearing_tokens.pt")
    parser.add_argument("--codec", default=folder + "/codec_tokens.pt")
    parser.add_argument("--decoder", default=folder + "/decoder.pt")
    parser.add_argument("--data", default=folder + "/codec_data")
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"))
    parser.add_argument("--section", default=folder + "/audio_codec.json")
    parser.add_argument("--golden", default=os.path.join(here, "..", "..", "..", "tests", "golden"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ears, codec, decoder = load_codec(options.hearing), load_codec(options.codec), load_decoder(options.decoder)
    tensors, section = collect(ears, codec, decoder)
    os.makedirs(options.model, exist_ok=True)
    write_safetensors(os.path.join(options.model, "audio_codec.safetensors"), tensors, {"format": "pt"})
    with open(options.section, "w") as out:
        json.dump(section, out, indent=1)
    recorded = golden(ears, codec, decoder, options.data)
    write_safetensors(os.path.join(options.golden, "audio_codec.safetensors"), recorded)
    manners = golden_manners(codec, decoder, recorded["output.codes"])
    write_safetensors(os.path.join(options.golden, "audio_manners.safetensors"), manners)
    # Only what the codec needs of config.json: the codec's tests do not depend on the language model.
    with open(os.path.join(options.golden, "audio_codec.json"), "w") as out:
        json.dump(section, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
