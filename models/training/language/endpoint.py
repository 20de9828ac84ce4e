"""Chooses the end-of-turn threshold on development questions.

    python3 -m language.endpoint --checkpoint RUN/checkpoint.pt --data DATA

Below the threshold `<assistant>` is masked, so up to the first crossing the model runs as if it never fired: one pass
over the questions with the threshold out of reach gives the outcome of every threshold.
"""

import argparse
import glob
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

from language import checkpoint as checkpoints, dataset, decode, model as wren, scoring, tokenizer as tokenizers
from language.sequences import FRAME_SECONDS

_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)


def outcomes(scored, threshold):
    """-> (share cut in, share within 240 ms of the end of speech, share never fired), per cent."""
    cut = within = missed = 0
    for s in scored:
        speech_end = (s.result.endpoint_frame + 1) * FRAME_SECONDS - s.latency
        fired = next((n for n, p in enumerate(s.result.endpoint_probability) if p > threshold), None)
        latency = None if fired is None else (fired + 1) * FRAME_SECONDS - speech_end
        missed += latency is None
        cut += latency is not None and latency < 0
        within += latency is not None and 0 <= latency <= 0.24
    return tuple(round(100 * count / len(scored), 1) for count in (cut, within, missed))


def main():
    parser = argparse.ArgumentParser(description="Chooses the end-of-turn threshold.")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, _ = checkpoints.load_model(options.checkpoint)
    reference = decode.ReferenceModel(model.export_weights(), wren.folder_config(model.config))
    tokenizer, scored = tokenizers.load(), []
    for path in sorted(glob.glob(os.path.join(options.data, "eval", "held_out_texts_dev.*.npz"))):
        conversations = [c[:1] for c in dataset.load_questions(path)]
        for conversation in conversations:
            conversation[0]["scored"] = True
        # Only the hearing matters, so the answers are cut at once.
        scored += scoring.run_spoken(reference, tokenizer, conversations, threshold=2.0, limits=decode.Limits(pieces=1))
    print(f"{len(scored)} questions\n\n| threshold | cut in | within 240 ms | never |\n|---|---|---|---|")
    for threshold in _THRESHOLDS:
        print("| {} | {} | {} | {} |".format(threshold, *outcomes(scored, threshold)))


if __name__ == "__main__":
    main()
