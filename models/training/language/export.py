"""Writes the model folder the runtime loads, and the recorded conversations its tests are held to.

    python3 -m language.export --checkpoint /tmp/wren/lm/checkpoint.pt [--data /tmp/wren/data] [--codec-config audio_codec.json] \\
        [--pictures PICTURES --image-codec-config image_codec.json]
    python3 -m language.export --tiny           only tests/golden/tiny_model, from a seed

models/wren/backbone.safetensors holds the weights rounded to bfloat16; config.json the shapes, with the codecs' sections
merged in. tests/golden/language_model.{safetensors,json} record what the reference decoder does with exactly those
weights on development questions.
"""

import argparse
import json
import os
import random
import time

import torch

from safetensors_file import round_to_bfloat16, write_safetensors
from language import (
    checkpoint as checkpoints, dataset, decode, golden, grammar, model as wren, picture_shards, tiny_model,
    tokenizer as tokenizers,
)

_ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
RECORDED = 28
PICTURED = 5  # of them, at most


def write_model(folder, model, codec_configs, endpoint_threshold=None):
    """Writes backbone.safetensors and config.json -> (rounded weights, config). codec_configs: section of config.json ->
    file with it, or None to keep what is there."""
    os.makedirs(folder, exist_ok=True)
    weights = {name: round_to_bfloat16(tensor) for name, tensor in model.export_weights().items()}
    path = os.path.join(folder, "backbone.safetensors")
    write_safetensors(path + ".part", weights)
    os.replace(path + ".part", path)
    config = wren.folder_config(model.config)
    config_path = os.path.join(folder, "config.json")
    previous = {}
    if os.path.exists(config_path):
        with open(config_path) as source:
            previous = json.load(source)
    for section, path in codec_configs.items():
        if path:
            with open(path) as source:
                found = json.load(source)
            config[section] = found.get(section, found)  # image_codec.export writes its other section beside it
        elif section in previous:
            config[section] = previous[section]
    config["sampling"] = previous.get("sampling", config["sampling"])
    if endpoint_threshold is not None:
        config["sampling"]["endpoint_threshold"] = endpoint_threshold
    with open(config_path, "w") as out:
        json.dump(config, out, indent=1)
        out.write("\n")
    return weights, config


def _recorded_conversations(data, pictures, tokenizer, rng):
    """Typed, heard and mixed conversations of the development sets, answered in speech and in text; some show a picture or
    ask for one."""
    conversations, labels = [], []

    def add(turns, questions):
        conversations.append(turns)
        labels.append(questions)

    for dialogue in grammar.test_set("typed_held_out_dev", 16) + grammar.test_set("typed_train_texts_dev", 16):
        questions = [t.typed or t.question for t in dialogue.turns]
        add([decode.Turn(typed=tokenizer.encode(q), speak=rng.random() < 0.4) for q in questions], questions)
    for name in ("naming_dev", "sides_dev", "drawing_dev", "drawing_several_dev") if pictures else ():
        for (turn,) in picture_shards.load(os.path.join(pictures, "eval", name + ".npz"))[:6]:
            about = dict(typed=tokenizer.encode(turn["typed"]), shown=turn.get("shown", ()))
            add([decode.Turn(speak=rng.random() < 0.5, **about)], [turn["typed"]])
    heard = []
    for name in ("follow_ups_dev", "held_out_texts_dev", "train_texts_dev"):
        for voices in ("train", "heldout"):
            path = os.path.join(data or "", "eval", f"{name}.{voices}.npz")
            if data and os.path.exists(path):
                heard += dataset.load_questions(path)[:24]
    for conversation in heard:
        turns = []
        for turn in conversation:
            speak = rng.random() < 0.75
            if len(conversation) > 1 and rng.random() < 0.25:
                turns.append(decode.Turn(typed=tokenizer.encode(turn["question"]), speak=speak))
            else:
                turns.append(decode.Turn(heard=turn["codes"].tolist(), speak=speak))
        add(turns, [turn["question"] for turn in conversation])
    order = list(range(len(conversations)))
    rng.shuffle(order)
    # Heard ones first: the file has room for so many only.
    order.sort(key=lambda i: all(t.heard is None for t in conversations[i]))
    typed = [i for i in order if all(t.heard is None for t in conversations[i])]
    heard = [i for i in order if i not in typed]
    order = heard[: 3 * RECORDED] + typed[: RECORDED] if heard else typed
    return [conversations[i] for i in order], [labels[i] for i in order]


def write_recorded(path, weights, config, data, pictures):
    tokenizer = tokenizers.load()
    conversations, labels = _recorded_conversations(data, pictures, tokenizer, random.Random(5))
    reference = decode.ReferenceModel(weights, config)
    # A third of the places is kept for typed conversations.
    heard = [i for i, c in enumerate(conversations) if any(t.heard is not None for t in c)]
    typed = [i for i in range(len(conversations)) if i not in heard]
    rows = decode.decode(reference, conversations, record=True)
    clear = [i for i in range(len(rows)) if golden.is_clear(rows[i])]
    pictured = [i for i in clear if i in typed and (conversations[i][0].shown or rows[i].results[0].drawn)]
    chosen = [i for i in clear if i in heard][: 2 * RECORDED // 3] + pictured[:PICTURED]
    chosen += [i for i in clear if i in typed and i not in pictured][: RECORDED - len(chosen)]
    about = "development questions answered by the reference decoder (models/training/language/decode.py)"
    return golden.write_rows(
        path,
        reference,
        [rows[i] for i in chosen],
        [labels[i] for i in chosen],
        about,
        piece_text=tokenizer.decode,
    )


def main():
    parser = argparse.ArgumentParser(description="Exports Wren's language model.")
    parser.add_argument("--checkpoint")
    parser.add_argument("--folder", default=os.path.join(_ROOT, "models", "wren"))
    parser.add_argument("--golden", default=os.path.join(_ROOT, "tests", "golden", "language_model"))
    parser.add_argument("--data", help="folder of dataset.py, for recorded heard questions")
    parser.add_argument("--codec-config", help="the codec's section of config.json")
    parser.add_argument("--pictures", help="folder of picture_shards.py, for recorded questions about pictures")
    parser.add_argument("--image-codec-config", help="the image codec's section of config.json")
    parser.add_argument("--endpoint-threshold", type=float, help="the choice of endpoint.py; default: what it was")
    parser.add_argument("--tiny", action="store_true", help="write tests/golden/tiny_model and nothing else")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.tiny:
        count = tiny_model.write_tiny_model(os.path.join(_ROOT, "tests", "golden", "tiny_model"))
        print(f"tiny model: {count} conversations recorded")
        return
    begin = time.time()
    model, step = checkpoints.load_model(options.checkpoint)
    sections = {"audio_codec": options.codec_config, "image_codec": options.image_codec_config}
    weights, config = write_model(options.folder, model, sections, options.endpoint_threshold)
    parameters = sum(tensor.numel() for tensor in weights.values())
    recorded = write_recorded(options.golden, weights, config, options.data, options.pictures)
    print(f"step {step}: {parameters / 1e6:.2f} M parameters, {recorded} conversations, {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
