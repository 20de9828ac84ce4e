"""Checkpoints of training (float32 weights and optimiser state), and the codec vectors a model is built on."""

import os

import torch

from language import model as wren

# Depend on the codec: not taken over from a checkpoint that was trained before the codec existed.
_OF_THE_CODEC = ("heard.", "spoken.", "depth_embed.")


def codebook_vectors(path, sizes, width=64):
    """The frozen codebooks of the ears' or the codec's checkpoint, one [size_k, any] tensor each. Without a path random ones,
    which only a typed stage can do with."""
    if path is None:
        generator = torch.Generator().manual_seed(0)
        return [torch.randn(size, width, generator=generator) for size in sizes]
    state = torch.load(path, map_location="cpu")
    vectors = [state[f"quantiser.books.{k}.vectors"].float() for k in range(len(sizes))]
    if [len(v) for v in vectors] != list(sizes):
        raise ValueError(f"{path}: codebooks of {[len(v) for v in vectors]} entries, expected {list(sizes)}")
    return vectors


def save(folder, model, optimiser, step, minutes):
    """Writes <folder>/checkpoint.pt, replacing the one before as a whole."""
    path = os.path.join(folder, "checkpoint.pt")
    content = {
        "config": vars(model.config),
        "weights": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "optimiser": optimiser.state(),
        "step": step,
        "minutes": minutes,
    }
    torch.save(content, path + ".part")
    os.replace(path + ".part", path)


def load_weights(path, model, everything=False):
    """Copies weights into `model`; those that belong to another codec only with `everything`. -> what was done."""
    weights = torch.load(path, map_location="cpu")["weights"]
    taken = 0
    with torch.no_grad():
        for name, tensor in model.state_dict(keep_vars=True).items():
            if name in weights and (everything or not name.startswith(_OF_THE_CODEC)):
                tensor.data.copy_(weights[name])
                taken += 1
    return f"{path}: {taken} tensors"


def load_optimiser(path, optimiser):
    """Nothing happens with a checkpoint that restore.py made: the optimiser starts anew."""
    state = torch.load(path, map_location="cpu").get("optimiser")
    if state is not None:
        optimiser.load(state)


def load_model(path):
    """-> (the model of a checkpoint, step)."""
    content = torch.load(path, map_location="cpu")
    config = wren.ModelConfig(**content["config"])
    weights = content["weights"]
    heard, spoken = ([weights[f"{channel}.vectors_{k}"] for k in range(len(config.codebook_sizes))]
                     for channel in ("heard", "spoken"))
    model = wren.Wren(config, heard, spoken)
    unknown = model.load_state_dict(weights, strict=False)
    # Lessons may have been added since: they are asked for from here on.
    if unknown.unexpected_keys or any(not name.startswith("lessons.") for name in unknown.missing_keys):
        raise ValueError(f"{path} does not fit: {unknown}")
    return model, content["step"]


def minutes_of(path):
    """Minutes of training behind a checkpoint."""
    return torch.load(path, map_location="cpu")["minutes"]
