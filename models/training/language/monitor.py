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
    """Share of typed answers that are right, word for word."""
    return _all_right(model, mixture.typed_answers(tokenizer, model.config.codebook_sizes, name, count))[0]


def picture_accuracy(model, tokenizer, path):
    """-> (share of answers about pictures whose words are right, share of the drawn codes that are)."""
    return _all_right(model, mixture.picture_answers(tokenizer, model.config.codebook_sizes, path))


def _all_right(model, found):
    """For a greedy decoder an answer is right when every symbol is right given the right ones before, so one forward
    pass tells. Codes of drawings are counted one by one."""
    end_of_audio, right, codes, code_hits = model.config.codebook_sizes[0], 0, 0, 0.0
    for begin in range(0, len(found), 25):
        batch = sequences.pack(found[begin : begin + 25], end_of_audio)
        h = model.backbone(model.embed(batch), batch.packing)
        chosen = h.index_select(0, batch.target_rows)
        hits = kernels.HeadLoss.apply(chosen, model.head, batch.target, batch.weight)[2]
        drawn = batch.kind == sequences.DRAWN
        owner = torch.bucketize(batch.target_rows, batch.packing.starts.long(), right=True) - 1
        wrong = torch.zeros(batch.packing.sequences).index_add(0, owner, (1 - hits) * ~drawn)
        right += int((wrong == 0).sum())
        codes += int(drawn.sum())
        code_hits += float(hits[drawn].sum())
    return round(100 * right / len(found), 1), round(100 * code_hits / codes, 1) if codes else None


def _spoken_figures(model, tokenizer, path, count):
    conversations = dataset.load_questions(path)[:count]
    scored = scoring.run_spoken(model, tokenizer, conversations)
    return scoring.summary(scored)


def evaluate(model, tokenizer, options, worker, thorough):
    """The workers share the sets; each writes its figures to a file. -> function that joins them, for worker 0 once all
    have finished."""
    count = 100 if thorough else 48
    figures = {}
    pictures = sorted(glob.glob(os.path.join(options.pictures, "eval", "*_dev.npz"))) if options.pictures else []
    for path in pictures[worker :: options.workers]:
        figures["typed " + os.path.basename(path)[:-4]] = picture_accuracy(model, tokenizer, path)
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
