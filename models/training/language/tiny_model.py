"""A tiny random model folder with recorded conversations, so that the runtime can be tested without Wren's weights. Its
image codec is image_codec/tiny_codec.py's.

Its dimensions are all different from one another and from Wren's on purpose: a runtime that confuses two of them, or
hard-codes Wren's, fails. Heads are shared by two query heads each. The rows of `<assistant>`, `<end>` and end of audio
are enlarged so that turns and answers end by themselves, those of `<image>` and of the manners of speaking so that pictures
are drawn and manners chosen. Two of the ids behind the codes of pictures are reserved.
"""

import io
import json
import os
import random

import sentencepiece
import torch

from image_codec import tiny_codec
from safetensors_file import round_to_bfloat16, write_safetensors
from language import decode, golden

CONFIG = {
    "format": "antiphon-model",
    "format_version": 1,
    "name": "tiny",
    "version": "v0",
    "symbols": {"vocab_size": 84, "text_pieces": 0, "pad": 0, "unk": 1, "bos": 2, "end": 3, "user": 4, "assistant": 5},
    "audio": {"sample_rate": 16000, "frame_samples": 1280, "codebook_sizes": [40, 24, 28, 20]},
    "stream": {"speech_lead": 2, "max_positions": 512},
    "backbone": {
        "width": 32,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "head_width": 12,
        "mlp_width": 56,
        "rope_theta": 10000.0,
        "norm_eps": 1e-5,
    },
    "depth": {"width": 16, "layers": 2, "heads": 2, "mlp_width": 36, "norm_eps": 1e-5},
    "sampling": {"endpoint_threshold": 0.9},
    "image": {"begin": 65, "end": 66, "first_code": 70},
    "manner": {"speed_slow": 68, "speed_normal": 64, "speed_fast": 83, "voice_own": 69, "voice_low": 67},
}


def _weights(config, seed):
    generator = torch.Generator().manual_seed(seed)
    d, dd = config["backbone"]["width"], config["depth"]["width"]
    sizes, vocab = config["audio"]["codebook_sizes"], config["symbols"]["text_pieces"]

    def matrix(rows, columns, gain=1.0):
        return torch.randn(rows, columns, generator=generator) * gain * columns**-0.5

    def norm(width):
        return 1.0 + 0.2 * torch.randn(width, generator=generator)

    def block(prefix, width, q_rows, kv_rows, mlp):
        return {
            prefix + "attn_norm": norm(width),
            prefix + "wq": matrix(q_rows, width),
            prefix + "wk": matrix(kv_rows, width),
            prefix + "wv": matrix(kv_rows, width),
            prefix + "wo": matrix(width, q_rows),
            prefix + "mlp_norm": norm(width),
            prefix + "w_gate": matrix(mlp, width),
            prefix + "w_up": matrix(mlp, width),
            prefix + "w_down": matrix(width, mlp),
        }

    w = {"embed.symbol": torch.randn(vocab, d, generator=generator)}
    for k, size in enumerate(sizes):
        w[f"embed.heard.{k}"] = torch.randn(size, d, generator=generator)
    for k, size in enumerate(sizes):
        w[f"embed.spoken.{k}"] = torch.randn(size, d, generator=generator)
    b = config["backbone"]
    q_rows, kv_rows = b["heads"] * b["head_width"], b["kv_heads"] * b["head_width"]
    for i in range(b["layers"]):
        w.update(block(f"layers.{i}.", d, q_rows, kv_rows, b["mlp_width"]))
    w["norm"] = norm(d)
    w["head"] = matrix(vocab, d, 1.5)
    w["head"][config["symbols"]["assistant"]] *= 5.0
    w["head"][config["symbols"]["end"]] *= 1.8
    for k in range(len(sizes)):
        w[f"depth.input.{k}"] = matrix(dd, d)
    for k, size in enumerate(sizes[:-1]):
        w[f"depth.embed.{k}"] = torch.randn(size, dd, generator=generator)
    w["depth.position"] = 0.5 * torch.randn(len(sizes), dd, generator=generator)
    for i in range(config["depth"]["layers"]):
        w.update(block(f"depth.layers.{i}.", dd, dd, dd, config["depth"]["mlp_width"]))
    w["depth.norm"] = norm(dd)
    for k, size in enumerate(sizes):
        w[f"depth.head.{k}"] = matrix(size + (k == 0), dd, 1.5)
    w["depth.head.0"][sizes[0]] *= 2.0

    beyond = config["symbols"]["vocab_size"] - vocab  # pictures
    w["embed.symbol"] = torch.cat([w["embed.symbol"], torch.randn(beyond, d, generator=generator)])
    w["head"] = torch.cat([w["head"], matrix(beyond, d, 1.5)])
    w["head"][config["image"]["begin"]] *= 1.8
    for symbol in config["manner"].values():
        w["head"][symbol] *= 1.3
    w["word_head"] = matrix(vocab, d)
    return w


def _write_tokenizer(path):
    sentences = ["what is two plus three", "say hello to me", "my name is sam", "the day after monday is tuesday"]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 8),
        model_writer=model,
        model_type="bpe",
        vocab_size=64,
        normalization_rule_name="nmt_nfkc_cf",
        character_coverage=1.0,
        num_threads=1,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        pad_piece="<pad>",
        unk_piece="<unk>",
        bos_piece="<bos>",
        eos_piece="<end>",
        control_symbols=["<user>", "<assistant>"],
        minloglevel=2,
    )
    with open(path, "wb") as out:
        out.write(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=path)


def _picture(config, rng):
    return [rng.randrange(config["image"]["codebook_size"]) for _ in range(config["image"]["grid"] ** 2)]


def _chosen(rows, count):
    """Clear conversations; every other one with a picture drawn and one of four with a manner chosen, as far as there are
    any."""
    clear = [row for row in rows if golden.is_clear(row)]
    drawn = [row for row in clear if any(result.drawn for result in row.results)][: count // 2]
    chosen = [row for row in clear if row not in drawn and any(result.manner for result in row.results)][: count // 4]
    others = [row for row in clear if row not in drawn + chosen][: count - len(drawn + chosen)]
    return drawn + chosen + others


def _conversations(config, tokenizer, count, seed):
    """Heard, typed, spoken and written turns in every order, one to three turns a conversation."""
    rng = random.Random(seed)
    sizes = config["audio"]["codebook_sizes"]
    texts = ["what is two plus three", "say hello", "my name is sam", "the day after monday"]
    conversations, labels = [], []
    for i in range(count):
        turns, names = [], []
        for _ in range(1 + i % 3):
            speak = rng.random() < 0.6
            pictures = rng.choice((0, 1, 1, 2))
            shown = [_picture(config, rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
            if rng.random() < 0.5:
                text = rng.choice(texts)
                turns.append(decode.Turn(typed=tokenizer.encode(text), speak=speak, shown=shown, pictures=pictures))
                names.append(text)
            else:
                frames = [[rng.randrange(size) for size in sizes] for _ in range(rng.randint(3, 14))]
                turns.append(decode.Turn(heard=frames, speak=speak, shown=shown, pictures=pictures))
                names.append(None)
        conversations.append(turns)
        labels.append(names)
    return conversations, labels


def write_tiny_model(folder, seed=7):
    """Writes the folder (config.json, tokenizer.model, *.safetensors, golden.*), and the image codec's golden vectors
    beside it -> conversations recorded."""
    os.makedirs(folder, exist_ok=True)
    tokenizer = _write_tokenizer(os.path.join(folder, "tokenizer.model"))
    config = json.loads(json.dumps(CONFIG))
    config["symbols"]["text_pieces"] = tokenizer.get_piece_size()
    config["word_head"] = {"pieces": tokenizer.get_piece_size()}
    images = tiny_codec.write_tiny_codec(folder, os.path.join(folder, "..", "tiny_image_codec"))
    config["image"].update(images["image"])
    config["image_codec"] = images["image_codec"]
    weights = {name: round_to_bfloat16(tensor) for name, tensor in _weights(config, seed).items()}
    write_safetensors(os.path.join(folder, "backbone.safetensors"), weights)
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(config, out, indent=1)
        out.write("\n")
    model = decode.ReferenceModel(weights, config)
    conversations, labels = _conversations(config, tokenizer, 400, seed)
    limits = decode.Limits(pieces=24, frames=40, positions=300)
    about = "tiny random model: what the reference decoder reads and writes"
    rows = decode.decode(model, conversations, limits=limits, record=True)
    names = {id(row): row_labels for row, row_labels in zip(rows, labels)}
    chosen = _chosen(rows, 32)
    path = os.path.join(folder, "golden")
    return golden.write_rows(path, model, chosen, [names[id(row)] for row in chosen], about, limits=limits)
