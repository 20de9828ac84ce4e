"""Wren's language model for training: a backbone over positions, a depth decoder over the codes of one frame.

The computation is the one decode.py and the C++ runtime do (RMSNorm, half-split rotary, SwiGLU, no biases). Training
differs in three ways that `export_weights` folds away: query/key/value and gate/up are one matrix each; embedding
tables of codes are (frozen codec vectors x learned projection) + learned table; batches are packed without padding.
"""

import dataclasses

import torch
from torch import nn

import scenes
from image_codec.model import GRID
from language import kernels, lessons, symbols


@dataclasses.dataclass
class ModelConfig:
    vocab_size: int
    codebook_sizes: tuple
    width: int = 256
    layers: int = 8
    heads: int = 4
    mlp_width: int = 768
    depth_width: int = 256
    depth_layers: int = 2
    depth_heads: int = 4
    depth_mlp_width: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    max_positions: int = 4096


class CodeTables(nn.Module):
    """Embedding tables of codebooks, one below the other, and a last row of zeros that stands for "masked".

    A table is the codec's own vectors through a learned linear layer plus a learned table that starts at zero: codes
    that sound alike start alike. (With fresh tables a probe needed several times the data.)
    """

    def __init__(self, vectors, width, scales, generator):
        super().__init__()
        self.sizes = [len(v) for v in vectors]
        self.offsets = torch.tensor([sum(self.sizes[:k]) for k in range(len(self.sizes))])
        self.masked = sum(self.sizes)
        self.projections = nn.ParameterList()
        self.tables = nn.ParameterList()
        self.bias = nn.Parameter(torch.zeros(width))
        for k, (vector, scale) in enumerate(zip(vectors, scales)):
            centred = vector - vector.mean(0)
            self.register_buffer(f"vectors_{k}", centred / centred.pow(2).mean().sqrt().clamp(min=1e-6))
            size = vector.shape[1]
            initial = torch.randn(width, size, generator=generator) * scale * size**-0.5
            self.projections.append(nn.Parameter(initial))
            self.tables.append(nn.Parameter(torch.zeros(len(vector), width)))

    def folded(self):
        """-> list of [size_k, width]; the bias of the channel goes with the first codebook."""
        out = []
        for k, (projection, table) in enumerate(zip(self.projections, self.tables)):
            folded = torch.addmm(table, getattr(self, f"vectors_{k}"), projection.t())
            out.append(folded + self.bias if k == 0 else folded)
        return out

    def forward(self, codes):
        """codes [N, K'] indices into codebook k, or -1: masked -> one summed vector each, [N, width]."""
        folded = self.folded()
        table = torch.cat(folded + [torch.zeros(1, folded[0].shape[1])])
        index = torch.where(codes < 0, self.masked, codes + self.offsets[: codes.shape[1]])
        vectors = nn.functional.embedding(index.reshape(-1), table)
        return vectors.view(codes.shape[0], codes.shape[1], -1).sum(1)

    def rows(self, codes, k):
        """codes [N] of codebook k -> [N, width]."""
        return nn.functional.embedding(codes, self.folded()[k])


class TransformerBlock(nn.Module):
    def __init__(self, width, heads, mlp_width, depth_gain, generator):
        super().__init__()

        def matrix(rows, columns, gain=1.0):
            return nn.Parameter(torch.randn(rows, columns, generator=generator) * gain * columns**-0.5)

        self.heads = heads
        self.attn_norm = nn.Parameter(torch.ones(width))
        self.wqkv = matrix(3 * width, width, 0.8)
        self.wo = matrix(width, width, depth_gain)
        self.mlp_norm = nn.Parameter(torch.ones(width))
        self.w_gate_up = matrix(2 * mlp_width, width, 0.8)
        self.w_down = matrix(width, mlp_width, depth_gain)

    def forward(self, x, packing, table, eps):
        weights = (self.attn_norm, self.wqkv, self.wo, self.mlp_norm, self.w_gate_up, self.w_down)
        return kernels.Block.apply(x, *weights, self.heads, eps, packing, table)

    def exported(self, prefix):
        q, k, v = self.wqkv.chunk(3)
        gate, up = self.w_gate_up.chunk(2)
        named = dict(attn_norm=self.attn_norm, wq=q, wk=k, wv=v, wo=self.wo, mlp_norm=self.mlp_norm)
        named.update(w_gate=gate, w_up=up, w_down=self.w_down)
        return {prefix + name: tensor for name, tensor in named.items()}


class Wren(nn.Module):
    """heard, spoken: per codebook the frozen vectors [size_k, any width] of the ears and of the codec."""

    def __init__(self, config, heard, spoken, seed=0):
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        width, depth_width, count = config.width, config.depth_width, len(config.codebook_sizes)
        for vectors in (heard, spoken):
            assert [len(v) for v in vectors] == list(config.codebook_sizes)
        # All channels that are summed start at the same scale (RMS near 0.9): with the usual 0.02 the symbols drown
        # beside the heard frames and the model cannot read the transcript it has just written.
        self.symbol = nn.Parameter(torch.randn(config.vocab_size, width, generator=generator) * 0.9)
        scales = [0.8] + [0.3] * (count - 1)
        self.heard = CodeTables(heard, width, scales, generator)
        self.spoken = CodeTables(spoken, width, scales, generator)
        block = lambda w, heads, mlp, layers: TransformerBlock(w, heads, mlp, (2 * layers) ** -0.5, generator)
        self.layers = nn.ModuleList(
            block(width, config.heads, config.mlp_width, config.layers) for _ in range(config.layers)
        )
        self.norm = nn.Parameter(torch.ones(width))
        self.head = nn.Parameter(torch.randn(config.vocab_size, width, generator=generator) * 0.3 * width**-0.5)
        self.depth_input = nn.Parameter(torch.randn(count * depth_width, width, generator=generator) * width**-0.5)
        self.depth_embed = CodeTables(spoken[:-1], depth_width, [0.9] * (count - 1), generator)
        self.depth_position = nn.Parameter(torch.randn(count, depth_width, generator=generator) * 0.1)
        self.depth_layers = nn.ModuleList(
            block(depth_width, config.depth_heads, config.depth_mlp_width, config.depth_layers)
            for _ in range(config.depth_layers)
        )
        self.depth_norm = nn.Parameter(torch.ones(depth_width))
        self.depth_heads = nn.ParameterList(
            nn.Parameter(torch.randn(size + (k == 0), depth_width, generator=generator) * 0.3 * depth_width**-0.5)
            for k, size in enumerate(config.codebook_sizes)
        )
        self.lessons = lessons.Lessons(width, min(config.vocab_size, symbols.TEXT_PIECES), generator)
        table = kernels.rotary_table(config.max_positions, width // config.heads, config.rope_theta)
        self.register_buffer("rotary", table, persistent=False)

    def embed(self, batch, heard_noise=0.0):
        """Sum of the channels present at each packed row -> [rows, width]."""
        x = nn.functional.embedding(batch.symbols, self.symbol)
        if len(batch.heard_rows):
            heard = self.heard(batch.heard)
            if heard_noise > 0:
                heard = heard + torch.randn_like(heard) * (heard_noise * torch.rand(len(heard), 1))
            x = x.index_add(0, batch.heard_rows, heard)
        if len(batch.spoken_rows):
            x = x.index_add(0, batch.spoken_rows, self.spoken(batch.spoken))
        return x

    def backbone(self, x, packing):
        return self.backbone_with_middle(x, packing)[0]

    def backbone_with_middle(self, x, packing):
        """-> (normalised output [rows, width], what leaves the block lessons.PRONUNCIATION_LAYER)."""
        middle = None
        for index, layer in enumerate(self.layers):
            x = layer(x, packing, self.rotary, self.config.norm_eps)
            middle = x if index + 1 == min(lessons.PRONUNCIATION_LAYER, len(self.layers)) else middle
        return kernels.RmsNorm.apply(x, self.norm, self.config.norm_eps), middle

    def middle(self, x, packing):
        """What leaves the block lessons.PRONUNCIATION_LAYER, without the blocks above it."""
        for layer in self.layers[: lessons.PRONUNCIATION_LAYER]:
            x = layer(x, packing, self.rotary, self.config.norm_eps)
        return x

    def depth(self, h, codes):
        """Teacher-forced: h [N, width], codes [N, K] -> [N, K, depth width], normalised, ready for the heads."""
        rows, count = codes.shape
        x = (h @ self.depth_input.t()).view(rows, count, -1) + self.depth_position
        tables = self.depth_embed.folded()
        previous = [nn.functional.embedding(codes[:, k].clamp(max=len(tables[k]) - 1), tables[k]) for k in range(count - 1)]
        x = x + torch.stack([torch.zeros_like(previous[0])] + previous, 1)
        packing = kernels.Packing(list(range(0, rows * count + 1, count)))
        x = x.view(rows * count, -1)
        for layer in self.depth_layers:
            x = layer(x, packing, self.rotary, self.config.norm_eps)
        x = kernels.RmsNorm.apply(x, self.depth_norm, self.config.norm_eps)
        return x.view(rows, count, -1)

    def export_weights(self):
        """-> name -> float32 tensor, the names and shapes of backbone.safetensors."""
        out = {"embed.symbol": self.symbol}
        out.update({f"embed.heard.{k}": t for k, t in enumerate(self.heard.folded())})
        out.update({f"embed.spoken.{k}": t for k, t in enumerate(self.spoken.folded())})
        for i, layer in enumerate(self.layers):
            out.update(layer.exported(f"layers.{i}."))
        out.update({"norm": self.norm, "head": self.head, "word_head": self.lessons.place})
        out.update({f"depth.input.{k}": t for k, t in enumerate(self.depth_input.chunk(len(self.config.codebook_sizes)))})
        out.update({f"depth.embed.{k}": t for k, t in enumerate(self.depth_embed.folded())})
        out["depth.position"] = self.depth_position
        for i, layer in enumerate(self.depth_layers):
            out.update(layer.exported(f"depth.layers.{i}."))
        out["depth.norm"] = self.depth_norm
        out.update({f"depth.head.{k}": t for k, t in enumerate(self.depth_heads)})
        return {name: tensor.detach().contiguous() for name, tensor in out.items()}

    def orthogonal_matrices(self):
        """Parameters that map one hidden space to another, each with the number of stacked matrices it holds."""
        pairs = [(self.depth_input, len(self.config.codebook_sizes))]
        for layer in list(self.layers) + list(self.depth_layers):
            pairs += [(layer.wqkv, 3), (layer.wo, 1), (layer.w_gate_up, 2), (layer.w_down, 1)]
        return pairs


def folder_config(config, name="wren", version="v2"):
    """config.json of the model folder, without the codecs' sections."""
    head_width = config.width // config.heads
    image = {
        "side": scenes.SIDE,
        "grid": GRID,
        "codebook_size": symbols.IMAGE_CODES,
        "begin": symbols.IMAGE,
        "end": symbols.IMAGE_END,
        "first_code": symbols.FIRST_IMAGE_CODE,
    }
    manner = {
        "speed_slow": symbols.SPEED_SLOW,
        "speed_normal": symbols.SPEED_NORMAL,
        "speed_fast": symbols.SPEED_FAST,
        "voice_own": symbols.VOICE_OWN,
        "voice_low": symbols.VOICE_LOW,
    }
    tools = {
        "tools": symbols.TOOLS,
        "tools_end": symbols.TOOLS_END,
        "call": symbols.CALL,
        "call_end": symbols.CALL_END,
        "result": symbols.RESULT,
        "result_end": symbols.RESULT_END,
    }
    return {
        "format": "antiphon-model",
        "format_version": 1,
        "name": name,
        "version": version,
        "symbols": {
            "vocab_size": config.vocab_size,
            "text_pieces": symbols.TEXT_PIECES,
            "pad": 0,
            "unk": 1,
            "bos": 2,
            "end": 3,
            "user": 4,
            "assistant": 5,
        },
        "image": image,
        "manner": manner,
        "tools": tools,
        "word_head": {"pieces": min(config.vocab_size, symbols.TEXT_PIECES)},
        "audio": {"sample_rate": 16000, "frame_samples": 1280, "codebook_sizes": list(config.codebook_sizes)},
        "stream": {"speech_lead": 2, "max_positions": config.max_positions},
        "backbone": {
            "width": config.width,
            "layers": config.layers,
            "heads": config.heads,
            "kv_heads": config.heads,
            "head_width": head_width,
            "mlp_width": config.mlp_width,
            "rope_theta": config.rope_theta,
            "norm_eps": config.norm_eps,
        },
        "depth": {
            "width": config.depth_width,
            "layers": config.depth_layers,
            "heads": config.depth_heads,
            "mlp_width": config.depth_mlp_width,
            "norm_eps": config.norm_eps,
        },
        "sampling": {"endpoint_threshold": 0.9},
    }
