"""pocketsphinx as an independent judge of intelligibility.

A recogniser separates good speech from bad only when it knows what may be said: a closed grammar of whole sentences, or a
free loop over a small vocabulary. Needs Debian's pocketsphinx and pocketsphinx-en-us.
"""

import os
import re
import subprocess
import tempfile
import wave

import numpy as np

MODEL = "/usr/share/pocketsphinx/model/en-us"
DICTIONARY = MODEL + "/cmudict-en-us.dict"


def known_words():
    with open(DICTIONARY) as lines:
        return {line.split()[0] for line in lines}


def sentence_grammar(sentences):
    return "#JSGF V1.0;\ngrammar closed;\npublic <all> = " + " | ".join(sorted(set(sentences))) + ";\n"


def loop_grammar(words):
    return "#JSGF V1.0;\ngrammar loop;\npublic <all> = <word>+;\n<word> = " + " | ".join(sorted(set(words))) + ";\n"


def _write_wave(path, samples, seed):
    # A little noise at both ends: digital silence upsets the recogniser's level tracking.
    rng = np.random.default_rng(seed)
    edge = lambda: rng.standard_normal(3200).astype(np.float32) * 2e-4
    data = np.concatenate([edge(), samples, edge()])
    with wave.open(path, "wb") as out:
        out.setparams((1, 2, 16000, len(data), "NONE", ""))
        out.writeframes(np.round(np.clip(data, -1, 1) * 32767).astype("<i2").tobytes())


def recognise(waves, grammar):
    """One string of words for each float32 wave at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        for i, samples in enumerate(waves):
            _write_wave(f"{folder}/{i}.wav", samples, i)
        with open(f"{folder}/grammar", "w") as out:
            out.write(grammar)
        with open(f"{folder}/list", "w") as out:
            out.writelines(f"{i}\n" for i in range(len(waves)))
        subprocess.run(
            ["pocketsphinx_batch", "-adcin", "yes", "-cepdir", folder, "-cepext", ".wav", "-ctl", f"{folder}/list", "-hyp",
             f"{folder}/result", "-hmm", f"{MODEL}/en-us", "-dict", DICTIONARY, "-jsgf", f"{folder}/grammar"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = [""] * len(waves)
        with open(f"{folder}/result") as lines:
            for line in lines:
                match = re.match(r"(.*)\((\S+) -?\d+\)\s*$", line)
                if match:
                    text = re.sub(r"<[^>]*>|\[[^\]]*\]|\(\d\)", "", match.group(1))
                    found[int(os.path.basename(match.group(2)))] = " ".join(text.split())
        return found


def word_errors(wanted, found):
    """Substitutions, insertions and deletions between two texts."""
    a, b = wanted.split(), found.split()
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]


def word_error_rate(wanted, found):
    """Per cent of the words wanted."""
    errors = sum(word_errors(a, b) for a, b in zip(wanted, found))
    return 100 * errors / sum(len(a.split()) for a in wanted)
