"""A checkpoint of train.py from a model folder, to go on training where its weights stand.

    python3 -m language.restore --model ../../wren --hearing hearing_tokens.pt --codec codec_tokens.pt --out RESTORED --minutes 138

Exported tables of codes are one sum of what training keeps apart (frozen vectors through a projection, a table, a
bias): the projection that explains most of a table is taken, the table keeps the rest. The optimiser's state is not
exported, so `train.py --resume` starts it anew.
"""

import argparse
import json
import os

import torch

from safetensors_file import read_safetensors
from language import checkpoint as checkpoints, model as wren
from language.train import CODEBOOK_SIZES


def _restore_tables(tables, weights, prefix):
    for k in range(len(tables.sizes)):
        wanted, vectors = weights[f"{prefix}.{k}"], getattr(tables, f"vectors_{k}")
        projection = torch.linalg.lstsq(vectors.double(), (wanted - wanted.mean(0)).double()).solution.float()
        tables.projections[k].copy_(projection.t())
        tables.tables[k].copy_(wanted - vectors @ projection)
    tables.bias.zero_()


def _restore_layer(layer, weights, prefix):
    join = lambda *names: torch.cat([weights[prefix + name] for name in names])
    layer.attn_norm.copy_(weights[prefix + "attn_norm"])
    layer.wqkv.copy_(join("wq", "wk", "wv"))
    layer.wo.copy_(weights[prefix + "wo"])
    layer.mlp_norm.copy_(weights[prefix + "mlp_norm"])
    layer.w_gate_up.copy_(join("w_gate", "w_up"))
    layer.w_down.copy_(weights[prefix + "w_down"])


@torch.no_grad()
def restored(folder, heard, spoken, config):
    """-> the training model with the weights of the model folder, the inverse of Wren.export_weights."""
    weights = {n: t.float() for n, t in read_safetensors(os.path.join(folder, "backbone.safetensors")).items()}
    model = wren.Wren(config, heard, spoken)
    count = len(config.codebook_sizes)
    model.symbol.copy_(weights["embed.symbol"])
    _restore_tables(model.heard, weights, "embed.heard")
    _restore_tables(model.spoken, weights, "embed.spoken")
    for i, layer in enumerate(model.layers):
        _restore_layer(layer, weights, f"layers.{i}.")
    model.norm.copy_(weights["norm"])
    model.head.copy_(weights["head"])
    if "word_head" in weights:  # not in those of v0
        model.lessons.place.copy_(weights["word_head"])
    model.depth_input.copy_(torch.cat([weights[f"depth.input.{k}"] for k in range(count)]))
    _restore_tables(model.depth_embed, weights, "depth.embed")
    model.depth_position.copy_(weights["depth.position"])
    for i, layer in enumerate(model.depth_layers):
        _restore_layer(layer, weights, f"depth.layers.{i}.")
    model.depth_norm.copy_(weights["depth.norm"])
    for k, head in enumerate(model.depth_heads):
        head.copy_(weights[f"depth.head.{k}"])
    return model


def vocabulary_size(folder):
    with open(os.path.join(folder, "config.json")) as source:
        return json.load(source)["symbols"]["vocab_size"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"))
    parser.add_argument("--hearing", required=True, help="the ears' checkpoint: their codebook vectors")
    parser.add_argument("--codec", required=True, help="the codec's checkpoint: its codebook vectors")
    parser.add_argument("--out", required=True, help="folder for checkpoint.pt")
    parser.add_argument("--minutes", type=float, default=0.0, help="of training behind the weights, for the log")
    options = parser.parse_args()
    config = wren.ModelConfig(vocabulary_size(options.model), CODEBOOK_SIZES)
    heard, spoken = (checkpoints.codebook_vectors(path, CODEBOOK_SIZES) for path in (options.hearing, options.codec))
    model = restored(options.model, heard, spoken, config)
    os.makedirs(options.out, exist_ok=True)
    content = {"config": vars(config), "weights": model.state_dict(), "step": 0, "minutes": options.minutes}
    torch.save(content, os.path.join(options.out, "checkpoint.pt"))


if __name__ == "__main__":
    main()
