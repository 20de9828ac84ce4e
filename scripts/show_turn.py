#!/usr/bin/python3
"""Shows one turn of scripts/demo.sh and judges it: exit status 0 if the answer is right and audible.

    scripts/show_turn.py TURN.json ANSWER.wav QUESTION EXPECTED_ANSWER
"""

import array
import json
import math
import sys
import wave


def words(text):
    """Lower-case words without punctuation: what the voice says either way."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def level_dbfs(path):
    """Seconds and level (RMS, dB of full scale) of a 16-bit WAV file."""
    with wave.open(path) as file:
        samples = array.array("h", file.readframes(file.getnframes()))
        seconds = len(samples) / file.getframerate() / file.getnchannels()
    power = sum(s * s for s in samples) / max(len(samples), 1) / 32768**2
    return seconds, 10 * math.log10(power + 1e-12)


def main():
    turn_path, wav_path, question, expected = sys.argv[1:]
    with open(turn_path) as file:
        turn = json.load(file)
    seconds, level = level_dbfs(wav_path)
    latency = turn["latency_ms"]["turn"]
    print(f"asked    {question}")
    print(f"heard    {turn['transcript']}")
    for call in turn.get("calls", []):
        print(f"called   {call['name']}({call['arguments']}), which came to {call['output']}")
    print(f"answer   {turn['answer']}")
    print(f"speech   {wav_path}, {seconds:.1f} s at {level:.0f} dBFS")
    print(f"latency  {'none measured' if latency is None else f'{latency:.0f} ms'}"
          " from the last speech sample sent to the first audible sample received")
    problems = []
    if words(turn["answer"]) != words(expected):
        problems.append(f"the right answer is: {expected}")
    # Speech of this voice takes at least 0.1 s a word; less than that or near silence is no spoken answer.
    if seconds < 0.1 * len(words(expected)) or level < -45:
        problems.append("the answer is not audible")
    for problem in problems:
        print(f"WRONG    {problem}")
    print()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
