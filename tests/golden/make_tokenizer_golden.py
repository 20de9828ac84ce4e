"""Writes tokenizer.json: texts and the pieces that SentencePiece itself gives, for the C++ tokenizer's tests.

    python3 make_tokenizer_golden.py        (Debian's python3-sentencepiece)

A small vocabulary with letters beyond ASCII is trained here (tokenizer_unicode.model); the tiny model's is used as well.
"""

import io
import json
import os
import random

import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))

TEXTS = [
    "hello", "What is TWO plus three?", "  spaces   everywhere\t and\nlines ", "say hello to me", "tuesday",
    "<user> and <assistant> and <end>", "ﬁne ligatures: ﬀ ﬂ", "ＦＵＬＬ　ｗｉｄｔｈ　１２３", "Straße ÄÖÜ äöü ẞ", "naïve café CAFÉ",
    "e\u0301 decomposed A\u030a", "soft\u00adhyphen zero\u200bwidth no\u00a0break", "\ufeffbyte order mark", "½ ² ℃ № ™ …",
    "emoji 😀 and 👩‍👩‍👧", "Ωμέγα ΣΊΣΥΦΟΣ", "привет МИР", "日本語テキスト", "한국어", "\u1100\u1161\u11a8", "İstanbul ıI",
    "a▁b ▁ c▁", "▁", "x" * 200, "17 + 4 = 21", "3×4÷2–1’s", "\u0000nul", "tab\tbell\u0007del\u007f", "\U0010ffff", "don't", "DŽ ǅ ǆ",
]
ALPHABET = "abcdefghij ABC  0123éÉßÄ½ﬁ▁.,?!'\u0301\u00adΣσς한\t"


def random_texts(count):
    rng = random.Random(5)
    return ["".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 40))) for _ in range(count)]


def train_unicode_vocabulary(path):
    corpus = [t for t in TEXTS if "\u0000" not in t] * 4 + random_texts(300)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, model_type="bpe", vocab_size=300,
        normalization_rule_name="nmt_nfkc_cf", character_coverage=0.99, pad_id=0, unk_id=1, bos_id=2, eos_id=3,
        pad_piece="<pad>", bos_piece="<bos>", eos_piece="<end>", control_symbols=["<user>", "<assistant>"],
        num_threads=1, minloglevel=2)
    with open(path, "wb") as out:
        out.write(model.getvalue())


def encodings(path):
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=path)
    cases = []
    for text in TEXTS + random_texts(150):
        # What no piece covers is left out by the runtime.
        pieces = [p for p in tokenizer.encode(text) if p != tokenizer.unk_id()]
        cases.append({"text": text, "pieces": pieces, "decoded": " ".join(tokenizer.decode(pieces).split())})
    return cases


def main():
    unicode_model = os.path.join(HERE, "tokenizer_unicode.model")
    train_unicode_vocabulary(unicode_model)
    golden = {
        "tokenizer_unicode.model": encodings(unicode_model),
        "tiny_model/tokenizer.model": encodings(os.path.join(HERE, "tiny_model", "tokenizer.model")),
    }
    with open(os.path.join(HERE, "tokenizer.json"), "w") as out:
        json.dump(golden, out, indent=0, ensure_ascii=True)
        out.write("\n")


if __name__ == "__main__":
    main()
