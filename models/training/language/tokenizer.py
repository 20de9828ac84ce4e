"""The text pieces of Wren: trains models/wren/tokenizer.model (SentencePiece, BPE) and loads it.

    python3 -m language.tokenizer                 trains; the same grammar gives the same file
    tokenizer = load()                   encode("what is two") -> ids; decode(ids) -> text

Ids 0..5 are control symbols. They are control symbols for SentencePiece too, so no user text can ever encode to them.
The normaliser folds case (nmt_nfkc_cf). Every letter, digit and ASCII sign is in the alphabet; anything else becomes
<unk>. Digits stand alone, so that "17" is read as 1, 7.
"""

import collections
import io
import os
import random
import string

import sentencepiece

from language import grammar
from language.symbols import ASSISTANT, BOS, END, PAD, TEXT_PIECES, UNK, USER
from language.skills.words import all_words

DEFAULT_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "wren", "tokenizer.model")


def _corpus(conversations=30000):
    """Questions, typed forms and answers as often as training draws them, and every word of the vocabulary."""
    rng = random.Random("tokenizer")
    for _ in range(conversations):
        for turn in grammar.sample_dialogue(rng).turns:
            yield turn.question
            yield turn.answer
            if rng.random() < 0.5:
                yield grammar.typed_form(rng, turn)
    for word in all_words():
        for _ in range(5):
            yield word
    yield from string.ascii_lowercase + string.digits + string.punctuation + "\u00d7\u00f7\u2013\u2019"  # the alphabet


def train(path=DEFAULT_PATH):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_corpus(), model_writer=model, model_type="bpe", vocab_size=TEXT_PIECES,
        normalization_rule_name="nmt_nfkc_cf", character_coverage=1.0, split_digits=True, num_threads=1,
        pad_id=PAD, unk_id=UNK, bos_id=BOS, eos_id=END, pad_piece="<pad>", unk_piece="<unk>", bos_piece="<bos>",
        eos_piece="<end>", control_symbols=["<user>", "<assistant>"], unk_surface="", minloglevel=1)
    with open(path, "wb") as f:
        f.write(model.getvalue())


def load(path=DEFAULT_PATH):
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=path)
    assert tokenizer.piece_to_id("<user>") == USER and tokenizer.piece_to_id("<assistant>") == ASSISTANT
    return tokenizer


def _report(tokenizer):
    rng = random.Random(3)
    words = collections.Counter()
    for _ in range(5000):
        for turn in grammar.sample_dialogue(rng).turns:
            words.update(turn.question.split() + turn.answer.split())
    pieces = {w: len(tokenizer.encode(w)) for w in words}
    total = sum(words.values())
    print(f"{tokenizer.get_piece_size()} pieces; {len(words)} words, {sum(1 for p in pieces.values() if p == 1)} of them one piece; "
          f"{sum(pieces[w] * n for w, n in words.items()) / total:.3f} pieces a word as drawn, "
          f"{sum(n for w, n in words.items() if pieces[w] == 1) / total:.1%} of drawn words one piece")


if __name__ == "__main__":
    train()
    _report(load())
