"""What one sees while training runs: the log, and quick evaluations on development sets."""

import glob
import json
import os
import time

import torch

from language import dataset, decode, kernels, mixture, model as wren, scoring, sequences

_TYPED = ("typed_train_texts_dev", "typed_held_out_dev", "typed_held_out_pairs_dev")
_SPOKEN = ("held_out_texts_dev", "train_texts_dev", "follow_ups_dev", "held_out_pairs_dev")


class Log:
    """One JSON object a line, in <folder>/log.jsonl and on standard output."""

    def __init__(self, folder):
        self.file = open(os.path.join(folder, "log.jsonl"), "a")

    def write(self, entry):
        line = json.dumps(dict(time=time.strftime("%H:%M:%S", time.gmtime()), **entry))
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()


@torch.no_grad()
def typed_accuracy(model, tokenizer, name, count):
    """Share of typed answers that are right, word for word: for a greedy decoder that is every symbol right given the
    right ones before, so one forward pass tells."""
    sizes = model.config.codebook_sizes
    right = 0
    found = mixture.typed_answers(tokenizer, sizes, name, count)
    for begin in range(0, count, 25):
        batch = sequences.pack(found[begin : begin + 25], sizes[0])
        h = model.backbone(model.embed(batch), batch.packing)
        chosen = h.index_select(0, batch.target_rows)
        hits = kernels.HeadLoss.apply(chosen, model.head, batch.target, batch.weight)[2]
        owner = torch.bucketize(batch.target_rows, batch.packing.starts.long(), right=True) - 1
        wrong = torch.zeros(batch.packing.sequences).index_add(0, owner, 1 - hits)
        right += int((wrong == 0).sum())
    return round(100 * right / count, 1)


def _spoken_figures(model, tokenizer, path, count):
    conversations = dataset.load_questions(path)[:count]
    scored = scoring.run_spoken(model, tokenizer, conversations)
    return scoring.summary(scored)


def evaluate(model, tokenizer, options, worker, thorough):
    """The workers share the sets; each writes its figures to a file. -> function that joins them, for worker 0 once all
    have finished."""
    count = 100 if thorough else 48
    figures = {}
    names = list(_TYPED) + (["spoken " + n for n in _SPOKEN] if options.stage == "spoken" else [])
    reference = None
    for index, name in enumerate(names):
        if index % options.workers != worker:
            continue
        if name in _TYPED:
            figures[name] = typed_accuracy(model, tokenizer, name, 200)
            continue
        if reference is None:
            reference = decode.ReferenceModel(model.export_weights(), wren.folder_config(model.config))
        for path in sorted(glob.glob(os.path.join(options.data, "eval", name.split()[1] + ".*.npz"))):
            label = "spoken " + os.path.basename(path)[:-4]
            figures[label] = _spoken_figures(reference, tokenizer, path, count)
    part = os.path.join(options.out, "evaluation.{}.json")
    with open(part.format(worker), "w") as out:
        json.dump(figures, out)

    def join():
        joined = {}
        for other in range(options.workers):
            with open(part.format(other)) as source:
                joined.update(json.load(source))
        return joined

    return join
