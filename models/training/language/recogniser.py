"""pocketsphinx as a listener that knows nothing of Wren: WAV files to words, with a closed grammar (JSGF).

Debian's packages pocketsphinx and pocketsphinx-en-us. Its general language model is useless on such short texts, so the
listener is told either which sentences exist or which words.
"""

import os
import re
import subprocess
import tempfile

_MODEL = "/usr/share/pocketsphinx/model/en-us"
_DICTIONARY = os.path.join(_MODEL, "cmudict-en-us.dict")


def known_words():
    with open(_DICTIONARY) as source:
        return {line.split()[0].split("(")[0] for line in source if line.strip()}


def sentence_grammar(sentences):
    return "#JSGF V1.0;\ngrammar heard;\npublic <heard> = " + " | ".join(sorted(set(sentences))) + ";\n"


def word_grammar(words):
    """One to three words in any order."""
    choices = " | ".join(sorted(set(words)))
    return f"#JSGF V1.0;\ngrammar heard;\npublic <heard> = <word> [<word> [<word>]];\n<word> = {choices};\n"


def recognise(folder, count, grammar):
    """folder/0.wav .. count-1 -> what was heard in each, "" where nothing was."""
    with tempfile.TemporaryDirectory() as work:
        grammar_path, list_path, result_path = (os.path.join(work, n) for n in ("heard.jsgf", "list", "result"))
        with open(grammar_path, "w") as out:
            out.write(grammar)
        with open(list_path, "w") as out:
            out.write("".join(f"{i}\n" for i in range(count)))
        command = ["pocketsphinx_batch", "-adcin", "yes", "-cepdir", folder, "-cepext", ".wav", "-adchdr", "44"]
        command += ["-ctl", list_path, "-hyp", result_path, "-hmm", os.path.join(_MODEL, "en-us")]
        command += ["-dict", _DICTIONARY, "-jsgf", grammar_path]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        heard = [""] * count
        with open(result_path) as source:
            for line in source:
                match = re.match(r"(.*)\((\d+) -?\d+\)\s*$", line)
                if match:
                    words = re.sub(r"<[^>]*>|\[[^\]]*\]|\(\d+\)", "", match.group(1))
                    heard[int(match.group(2))] = " ".join(words.split())
    return heard
