"""Words to spell and repeat beyond the skills' own vocabulary: makes data/open_words.txt.

    python3 -m language.open_words [--wordnet /usr/share/wordnet]

One word a line, the most frequent first: the lemmas of three to nine letters that occur three times or more in the texts WordNet's authors
have tagged by hand (cntlist.rev), without those of the skills' vocabulary and without any that sounds like another one (flite's
pronunciations): a listener could not tell them apart.
"""

import argparse
import collections
import os
import re

import voices
from language.skills.words import all_words

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "open_words.txt")
LETTERS = (3, 9)
OCCURRENCES = 3  # in the tagged texts, at least


def lemmas(wordnet):
    """Single words of the tagged texts that occur often enough, the most frequent first."""
    counts = collections.Counter()
    with open(os.path.join(wordnet, "cntlist.rev"), encoding="utf-8") as lines:
        for line in lines:
            sense, _, count = line.split()
            counts[sense.partition("%")[0]] += int(count)
    shortest, longest = LETTERS
    fits = lambda word: (counts[word] >= OCCURRENCES and re.fullmatch("[a-z]+", word) and shortest <= len(word) <= longest
                         and re.search("[aeiouy]", word))
    return sorted(filter(fits, counts), key=lambda word: (-counts[word], word))


def pronunciation(word):
    return tuple(phone for _, _, phone in voices.synthesize(word, voices.OUTPUT_VOICE).phones)


def main():
    parser = argparse.ArgumentParser(description="Makes the list of words to spell and repeat.")
    parser.add_argument("--wordnet", default="/usr/share/wordnet", help="folder of the package wordnet-base")
    options = parser.parse_args()
    known = all_words()
    sounds = {pronunciation(word) for word in known}
    chosen = []
    for word in lemmas(options.wordnet):
        if word in known:
            continue
        sound = pronunciation(word)
        if sound not in sounds:
            sounds.add(sound)
            chosen.append(word)
    with open(PATH, "w", encoding="utf-8") as out:
        out.write("\n".join(chosen) + "\n")


if __name__ == "__main__":
    main()
