"""Spoken training data for Wren: the grammar's conversations in many voices, as codec tokens in packed shards.

    python3 -m language.dataset --folder DIR --hearing hearing_tokens.pt --codec codec_tokens.pt \\
        --image-codec image_codec.pt --shards 72 [--seed 1]

works through shards of about 1000 questions each: voices the questions, augments them, voices the answers that are new
with the output voice, and turns both into codes once the codec's checkpoints exist (until then the waves wait as
int16): the questions by the ears, the answers by the codec.
Shards appear in the folder one by one, complete, while training reads them:

    questions_0003.npz   load_questions(path) -> list of conversations, each a list of turns: dicts with
        question, answer, skill, shape, voice, codes int16 [T, K] (lead and trailing silence included),
        words [(begin s, end s)] per word of the question, sounds (lessons.word_phonemes of them), speech_end s;
        shown and drawn as in picture_shards.py; tone, declared, call, result as in common.Turn. A result has no sound.
    answers_0003.npz     load_answers(folder) -> {text: Rendering} of the output voice, all shards
    answers_r003.npz     more of them, which answer no question: words in random order and sentences, to read aloud
    answers_d000.npz     those of drawings
    eval/<set>.<voices>.npz   as questions, with `scored` and the waves beside them: eval/<set>.<voices>/manifest.json
        names the WAV files as antiphon-bench reads it, for the end-to-end evaluation; <voices> is train or heldout

With --skills definitions,capitals,currencies the shards and the sets for evaluation are about these skills alone, and so with the
names of families (grammar.FAMILIES); --first 200 numbers the shards so that they can stand beside the others. --drawings
voices the answers of a folder of typed conversations that draw (picture_shards.py), for training to speak them.

A part of the conversations of a shard is dictation: words without a context, of which nothing but the ear can tell the
next. Their answers are not voiced.

Texts, voices, pauses and augmentation are decided by the seed and the shard's number; the waves of the questions only
nearly so, because espeak-ng keeps the state of its oscillators from one utterance to the next. Several processes may
share the work (--part 0/2, --part 1/2); an answer may then stand in two shards.
"""

import argparse
import collections
import ctypes
import dataclasses
import glob
import json
import os
import random
import time
import wave as wave_file

import numpy as np

import augment
import voices
from audio_codec import codec_tokens
from language import grammar, lessons, picture_shards
from language.skills import repeating, tone
from language.skills.common import TRAIN, letter_positions, rng_of

SAMPLE_RATE = 16000
FRAME = 1280
QUESTIONS_PER_SHARD = 1000
FLITE_SHARE = 0.3  # of the flite voices drawn: flite is slow, and espeak-ng has the variety
# Codes of training questions are made as if some speakers had another vocal tract (audio_codec/layers.stretch_tract):
# the synthesisers' consonants hardly vary by themselves.
TRACTS, TRACT_SHARE = (0.86, 1.22), 0.5
DICTATION_SHARE = 0.3  # of the conversations of a training shard
PICTURE_SHARE = 0.25
FAMILY_SHARES = {"open_words": 0.1, "tools": 0.05, "again": 0.03, "tone": 0.02}
READ_ALOUD_PER_SHARD = 400

# Sets for evaluation: name -> number of conversations. Twice each: voices heard in training, voices never heard.
DEVELOPMENT_SETS = {"held_out_texts_dev": 120, "held_out_pairs_dev": 80, "say_new_orders_dev": 60, "follow_ups_dev": 80,
                    "train_texts_dev": 60, "definitions_dev": 80, "countries_dev": 60}
FINAL_SETS = {"held_out_texts": 320, "held_out_pairs": 320, "say_new_orders": 320, "follow_ups": 320, "train_texts": 320,
              "definitions": 320, "countries": 320}
FINAL_SETS.update({"picture_" + name: 320 for name in grammar.PICTURE_SETS})
FINAL_SETS.update(dict.fromkeys(grammar.FAMILY_SETS, 320))
NOISY_SETS = {"noisy_texts": ("held_out_texts", 10.0)}  # the texts of another set, and the signal-to-noise ratio in dB
FINAL_SETS.update(dict.fromkeys(NOISY_SETS, 320))
DEVELOPMENT_AFTER, FINAL_AFTER = 2, 14  # shards


_C_LIBRARY = ctypes.CDLL(None)


# --- waves

def pick_voice(rng, split):
    while True:
        voice = voices.sample_voice(rng, split)
        if split != "train" or voice.engine == "espeak" or rng.random() < FLITE_SHARE:
            return voice


def _insert_pauses(samples, words, places):
    """Silence of 100 to 400 ms before some words. places: [(word index, seconds)]."""
    for index, seconds in sorted(places, reverse=True):
        at = int(words[index][0] * SAMPLE_RATE)
        count = int(seconds * SAMPLE_RATE)
        fade = min(80, at, len(samples) - at)
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        before, after = samples[:at].copy(), samples[at:].copy()
        before[at - fade :] *= ramp[::-1]
        after[:fade] *= ramp
        samples = np.concatenate([before, np.zeros(count, np.float32), after])
        words = words[:index] + [(b + seconds, e + seconds) for b, e in words[index:]]
    return samples, words


def _trim(speech, before, after):
    """The speech with so many seconds of silence kept around it; word times moved along."""
    begin = max(0.0, speech.words[0][0] - before)
    end = speech.words[-1][1] + after
    samples = speech.wave[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)].copy()
    fade = min(160, len(samples) // 4)
    samples[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return samples, [(max(0.0, b - begin), e - begin) for b, e in speech.words]


def speak_question(turn, voice, rng, noise=None):
    """-> (int16 samples, word times, phonemes of each word), augmented, with silence before and after; whole frames.

    noise: the signal-to-noise ratio in dB of the noise behind it; default at random, often none."""
    tokens = turn.spoken
    tokens = tokens[:-1] + [tokens[-1] + rng.choice(("", "", "?", "."))]
    speech = voices.synthesize(tokens, voice)
    sounds = lessons.word_phonemes(speech.words, speech.phones)
    samples, words = _trim(speech, 0.03, 0.06)
    places = grammar.pause_places(turn)
    if places and rng.random() < 0.3:
        chosen = rng.sample(places, min(len(places), rng.choice((1, 1, 2))))
        samples, words = _insert_pauses(samples, words, [(p, rng.uniform(0.1, 0.4)) for p in chosen])
    lead = rng.uniform(0.1, 0.8) if rng.random() < 0.92 else rng.uniform(0.8, 2.5)
    count = int(lead * SAMPLE_RATE)
    words = [(b + count / SAMPLE_RATE, e + count / SAMPLE_RATE) for b, e in words]
    length = count + len(samples) + int(0.66 * SAMPLE_RATE)
    padded = np.zeros((length + FRAME - 1) // FRAME * FRAME, np.float32)
    padded[count : count + len(samples)] = samples
    noisy = {} if noise is None else dict(noise=1.0, noise_range=(noise, noise))
    heard, _ = augment.augment(padded, np.random.default_rng(rng.getrandbits(32)), **noisy)
    return _int16(heard), words, sounds


def speak_answer(text):
    """The one rendering of an answer in the output voice -> (int16 samples in whole frames, times), where times is
    {"words": [(begin s, end s)], "phones": [(begin s, end s, class)]}."""
    letters = letter_positions(text)
    _C_LIBRARY.srand(1)  # flite draws the noise in its voices from rand()
    tokens = [voices.letter(w) if i in letters else w for i, w in enumerate(text.split())]
    speech = voices.synthesize(tokens, voices.OUTPUT_VOICE)
    samples, words = _trim(speech, 0.02, 0.06)
    moved = words[0][0] - speech.words[0][0]
    phones = [(round(b + moved, 4), round(e + moved, 4), p) for b, e, p in speech.phones if e + moved > 0]
    padded = np.zeros((len(samples) + FRAME - 1) // FRAME * FRAME, np.float32)
    padded[: len(samples)] = samples
    return _int16(padded), {"words": [(round(b, 4), round(e, 4)) for b, e in words], "phones": phones}


def _int16(samples):
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)


def voice_dialogue(dialogue, voice_split, rng, noise=None):
    """-> list of (turn record, int16 samples): one voice for the whole conversation. noise as in speak_question."""
    for _ in range(5):
        voice = pick_voice(rng, voice_split)
        tract = rng.uniform(*TRACTS) if dialogue.scored == () and rng.random() < TRACT_SHARE else 1.0
        try:
            result = []
            tones = [turn.facts["tone"] for turn in dialogue.turns if "tone" in turn.facts]
            if tones:
                voice, tract = tone.in_tone(voice, tones[0], rng), 1.0
            for index, turn in enumerate(dialogue.turns):
                record = dict(picture_shards.parts_of(turn), question=turn.question, answer=turn.answer, skill=turn.skill,
                              shape=dialogue.shape, split=turn.split, voice=str(voice))
                if turn.result:
                    samples, words, sounds = np.zeros(0, np.int16), [], []
                else:
                    samples, words, sounds = speak_question(turn, voice, rng, noise)
                record.update(speech_end=round(words[-1][1], 4) if words else 0.0, sounds=sounds,
                              words=[(round(b, 4), round(e, 4)) for b, e in words])
                if tract != 1.0:
                    record["tract"] = round(tract, 3)
                if dialogue.scored:
                    record["scored"] = index in dialogue.scored
                result.append((record, samples))
            return result
        except ValueError:  # the engine's word times do not fit the text: another voice
            continue
    return None


# --- files: concatenated arrays, their bounds, and the rest as JSON; written whole or not at all

def _save(path, arrays, records, key):
    bounds = np.cumsum([0] + [len(a) for a in arrays])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as f:
        np.savez(f, **{key: np.concatenate(arrays), "bounds": bounds, "records": np.array(json.dumps(records))})
    os.replace(path + ".part", path)


def _load(path, key):
    with np.load(path) as data:
        values, bounds, records = data[key], data["bounds"], json.loads(str(data["records"]))
    return [values[a:b] for a, b in zip(bounds[:-1], bounds[1:])], records


def load_questions(path):
    """A shard of questions: list of conversations, each a list of turn dicts (see the top of this file)."""
    arrays, records = _load(path, "codes")
    conversations = []
    for record, mine in zip(records, arrays):
        if record["turn"] == 0:
            conversations.append([])
        record["codes"] = mine
        conversations[-1].append(record)
    return conversations


@dataclasses.dataclass
class Rendering:
    """A text in the output voice."""

    codes: np.ndarray  # int16 [T, K]
    words: list  # (begin s, end s) of each word
    phones: list  # (begin s, end s, class) in order, silence included


def load_answers(folder):
    """All texts voiced so far: text -> Rendering."""
    table = {}
    for path in sorted(glob.glob(os.path.join(folder, "answers_*.npz"))):
        for codes, record in zip(*_load(path, "codes")):
            table[record["text"]] = Rendering(codes, record["words"], record["phones"])
    return table


# --- the work

def _codec(checkpoint):
    """A function from int16 waves and lengths of vocal tracts to codes, with the frozen encoder. Each wave starts from
    silence."""
    tokens = codec_tokens.load(checkpoint)
    return lambda waves, tracts: tokens.encode([w.astype(np.float32) / 32768 for w in waves], tracts)


def dictation(rng):
    """A turn that asks to repeat random words, of the training kind."""
    while True:
        turn = repeating.dictate(rng)
        if turn.split == TRAIN:
            return turn


class Maker:
    def __init__(self, folder, seed, hearing, codec, image_codec, shard_size=QUESTIONS_PER_SHARD, picture_share=PICTURE_SHARE,
                 skills=None):
        """hearing, codec, image_codec: the checkpoints that questions, answers and pictures are encoded with.

        skills: names of grammar.SKILLS and of families that alone are asked about, without pictures and dictation; None: everything.
        """
        self.folder, self.seed, self.shard_size = folder, seed, shard_size
        self.asked = skills
        families = [name for name in skills or () if name in grammar.FAMILIES]
        self.skills = [name for name in skills if name not in families] if skills else None
        known = {"pictures": picture_share, "dictation": DICTATION_SHARE, **FAMILY_SHARES}
        if skills:  # each name alike
            known = {name: len(families) / len(skills) * FAMILY_SHARES[name] / sum(FAMILY_SHARES[f] for f in families) for name in families}
        self.shares = {**known, "skills": 1.0 - sum(known.values())}
        self.checkpoints = {"questions": hearing, "answers": codec, "pictures": image_codec}
        self.encoders = None  # made when the checkpoints are there
        self.voiced, self.known = set(), set()  # answers that have their rendering; files they stand in

    def _path(self, name, waves=False):
        return os.path.join(self.folder, "waves" if waves else "", name + ".npz")

    def _exists(self, name):
        return os.path.exists(self._path(name)) or os.path.exists(self._path(name, True))

    def _find_answers(self):
        """Learns which answers have been voiced, by other processes too."""
        for waves in (False, True):
            for path in glob.glob(self._path("answers_*", waves)):
                name = os.path.basename(path)[:-4]
                alone = name.startswith(("answers_r", "answers_d"))
                if name in self.known or not (alone or self._exists(name.replace("answers", "questions"))):
                    continue  # without its questions it will be made again
                try:
                    with np.load(path) as data:
                        self.voiced.update(record["text"] for record in json.loads(str(data["records"])))
                except FileNotFoundError:  # just turned into codes: met again there
                    continue
                self.known.add(name)

    def synthesize(self, shard):
        """Writes the waves of one training shard, if neither they nor their codes are there."""
        name = f"{shard:04d}"
        if self._exists("questions_" + name):
            return
        self._find_answers()
        rng = rng_of("shard", self.seed, shard)
        records, arrays, answers = [], [], {}
        while len(records) < self.shard_size:
            what = rng.choices(list(self.shares), list(self.shares.values()))[0]
            dictated = what == "dictation"
            made = voice_dialogue(self._dialogue(rng, what), "train", rng)
            for index, (record, samples) in enumerate(made or []):
                records.append(dict(record, turn=index))
                arrays.append(samples)
                if not dictated and record["answer"] not in self.voiced:
                    answers[record["answer"]] = None
        self._voice_answers("answers_" + name, answers)
        _save(self._path("questions_" + name, True), arrays, records, "samples")

    def _dialogue(self, rng, what):
        if what == "pictures":
            return grammar.sample_picture_dialogue(rng)
        if what == "dictation":
            return grammar.Dialogue((dictation(rng),), "dictation")
        return grammar.sample_family(rng, what) if what in grammar.FAMILIES else grammar.sample_dialogue(rng, skills=self.skills)

    def drawings(self, pictures, most, part=0, parts=1):
        """Writes the waves of the commonest answers of typed conversations that draw, if neither they nor their codes are there."""
        name = f"answers_d{part:03d}"
        if self._exists(name):
            return
        self._find_answers()
        conversations = [c for path in sorted(glob.glob(os.path.join(pictures, "pictures_*.npz"))) for c in picture_shards.load(path)]
        texts = collections.Counter(turn["answer"] for turns in conversations if "drawn" in turns[0] for turn in turns)
        missing = [text for text, _ in texts.most_common() if text not in self.voiced][:most]
        self._voice_answers(name, missing[part::parts])

    def read_aloud(self, shard):
        """Writes the waves of texts that answer no question, if neither they nor their codes are there."""
        name = f"answers_r{shard:03d}"
        if self._exists(name):
            return
        self._find_answers()
        rng = rng_of("read aloud", self.seed, shard)
        texts = {}
        while len(texts) < READ_ALOUD_PER_SHARD:
            turn = repeating.ask(rng) if rng.random() < 0.35 else dictation(rng)
            if turn.split == TRAIN and turn.answer not in self.voiced:
                texts[turn.answer] = None
        self._voice_answers(name, texts)

    def _voice_answers(self, name, texts):
        spoken, records = [], []
        for text in texts:
            try:
                samples, times = speak_answer(text)
            except ValueError as error:
                print("no answer audio:", text, error, flush=True)
                continue
            spoken.append(samples)
            records.append(dict(times, text=text))
        self.voiced.update(record["text"] for record in records)
        self.known.add(name)
        _save(self._path(name, True), spoken, records, "samples")

    def tokenise(self, name):
        """Turns a file of waves into codes; training waves are not kept."""
        source = self._path(name, True)
        samples, records = _load(source, "samples")
        encode = self.encoders["answers" if name.startswith("answers") else "questions"]
        picture_shards.add_codes(records, self.encoders["pictures"])
        sounding = [n for n, wave in enumerate(samples) if len(wave)]
        found = encode([samples[n] for n in sounding], [records[n].get("tract", 1.0) for n in sounding])
        codes = [np.zeros((0, found[0].shape[1]), found[0].dtype)] * len(samples)
        for n, mine in zip(sounding, found):
            codes[n] = mine
        _save(self._path(name), codes, records, "codes")
        os.remove(source)

    def pending(self, part=0, parts=1):
        """Files of waves, answers before the questions that need them; of several processes each takes its part."""
        root = os.path.join(self.folder, "waves")
        names = [os.path.relpath(p, root)[:-4] for p in glob.glob(os.path.join(root, "**", "*.npz"), recursive=True)]
        number = lambda name: 0 if name.startswith("eval") else int(name[-3:])
        return sorted((n for n in names if number(n) % parts == part), key=lambda n: (number(n), n))

    def evaluation_set(self, name, count, voice_split):
        """One evaluation set with its WAV files and the manifest that names them."""
        label = f"eval/{name}.{voice_split}"
        if self._exists(label):
            return
        rng = rng_of("evaluation", self.seed, name, voice_split)
        folder = os.path.join(self.folder, label)
        os.makedirs(folder, exist_ok=True)
        records, arrays, manifest = [], [], []
        name, noise = NOISY_SETS.get(name, (name, None))
        if name.startswith("picture_"):
            dialogues = grammar.picture_set(name.removeprefix("picture_"), count)
        else:
            dialogues = (grammar.family_set if name in grammar.FAMILY_SETS else grammar.test_set)(name, count)
        for number, dialogue in enumerate(dialogues):
            asked = []
            for index, (record, samples) in enumerate(voice_dialogue(dialogue, voice_split, rng, noise)):
                record = dict(record, turn=index)
                if record.get("result"):
                    records.append(record)
                    arrays.append(samples)
                    continue
                file_name = f"{number:04d}_{index}.wav"
                with wave_file.open(os.path.join(folder, file_name), "wb") as f:
                    f.setparams((1, 2, SAMPLE_RATE, len(samples), "NONE", ""))
                    f.writeframes(samples.astype("<i2").tobytes())
                records.append(record)
                arrays.append(samples)
                asked.append(dict({k: record[k] for k in ("question", "answer", "voice", "speech_end")}, wav=file_name))
            manifest.append(dict(asked[-1], row=f"{name}, {voice_split}", before=asked[:-1]))
        with open(os.path.join(folder, "manifest.json"), "w") as f:
            json.dump(manifest, f, indent=1)
        _save(self._path(label, True), arrays, records, "samples")

    def _is_asked(self, name):
        """Whether a set for evaluation is about nothing but this maker's skills."""
        if self.asked is None:
            return True
        if name.startswith("picture_"):
            return False
        if name in grammar.FAMILY_SETS:
            return grammar.family_of(name) in self.asked
        return set(grammar.skills_of(NOISY_SETS.get(name, (name,))[0])) <= set(self.asked)

    def evaluation_sets(self, names):
        """These sets, in both kinds of voices, as codes."""
        for name in names:
            for voice_split in ("train", "heldout"):
                self.evaluation_set(name, {**DEVELOPMENT_SETS, **FINAL_SETS}[name], voice_split)
        self.tokenise_pending()

    def run(self, shards, read_aloud=0, part=0, parts=1, first=0):
        started = time.time()
        for shard in range(part, max(shards, read_aloud), parts):
            if shard < read_aloud:
                self.read_aloud(first + shard)
            if shard < shards:
                self.synthesize(first + shard)
            print(f"shard {first + shard}: {len(self.voiced)} answers voiced, {time.time() - started:.0f} s", flush=True)
            if part == 0:
                for sets, after in ((DEVELOPMENT_SETS, DEVELOPMENT_AFTER), (FINAL_SETS, FINAL_AFTER)):
                    for name in filter(self._is_asked, sets) if after <= shard < after + parts else ():
                        for voice_split in ("train", "heldout"):
                            self.evaluation_set(name, sets[name], voice_split)
            self.tokenise_pending(part, parts)
        if not self._codec_is_there():
            print("waiting for", *self.checkpoints.values(), flush=True)
        while not self._codec_is_there():
            time.sleep(5)
        self.tokenise_pending(part, parts)

    def _codec_is_there(self):
        return all(os.path.exists(path) for path in self.checkpoints.values())

    def tokenise_pending(self, part=0, parts=1):
        """Codes for all waves that wait, if the codec is trained."""
        if self.encoders is None:
            if not self._codec_is_there():
                return
            self.encoders = {what: _codec(self.checkpoints[what]) for what in ("questions", "answers")}
            self.encoders["pictures"] = picture_shards.PictureEncoder(self.checkpoints["pictures"])
        for name in self.pending(part, parts):
            begin = time.time()
            self.tokenise(name)
            print(f"tokenised {name} in {time.time() - begin:.1f} s", flush=True)


def skill_names(text):
    """The names in "definitions,capitals"; an error that argparse reports for one that is no skill."""
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in grammar.SKILLS and name not in grammar.FAMILIES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no skill {', '.join(unknown)}; there are {', '.join(sorted([*grammar.SKILLS, *grammar.FAMILIES]))}")
    return names


def main():
    parser = argparse.ArgumentParser(description="Makes the spoken training data.")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--shards", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first shard")
    parser.add_argument("--read-aloud", type=int, default=30, help="shards of texts to read aloud")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hearing", required=True, help="frozen checkpoint of the ears; may appear later")
    parser.add_argument("--codec", required=True, help="that of the codec, for the answers; may appear later")
    parser.add_argument("--image-codec", required=True, help="the image codec's checkpoint; may appear later")
    parser.add_argument("--picture-share", type=float, default=PICTURE_SHARE, help="of the conversations")
    parser.add_argument("--skills", type=skill_names, help="such as definitions,capitals,currencies: shards of these alone")
    parser.add_argument("--sets", help="such as definitions,noisy_texts: these sets for evaluation and nothing else")
    parser.add_argument("--drawings", help="folder of picture_shards.py: voices the answers of its drawings and nothing else")
    parser.add_argument("--most", type=int, default=5000, help="of those answers")
    parser.add_argument("--questions", type=int, default=QUESTIONS_PER_SHARD, help="in a shard")
    parser.add_argument("--part", default="0/1", help="I/N: this is process I of N that share the shards")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    maker = Maker(options.folder, options.seed, options.hearing, options.codec, options.image_codec, options.questions,
                  options.picture_share, options.skills)
    if options.sets:
        maker.evaluation_sets(options.sets.split(","))
    elif options.drawings:
        maker.drawings(options.drawings, options.most, part, parts)
        maker.tokenise_pending(part, parts)
    else:
        maker.run(options.shards, options.read_aloud, part, parts, options.first)


if __name__ == "__main__":
    main()
