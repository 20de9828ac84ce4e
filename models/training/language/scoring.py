"""Decodes recorded or typed test conversations and scores the turns they are about."""

import dataclasses

import numpy as np

from language import decode
from language.sequences import FRAME_SECONDS


@dataclasses.dataclass
class Scored:
    """One scored turn."""

    question: str
    answer: str  # expected
    skill: str
    result: decode.TurnResult
    heard_text: str = ""
    answer_text: str = ""
    latency: float = 0.0  # seconds from the end of speech to the end of the frame that ended the turn; < 0: cut in
    spoken_question: bool = False
    call: str = ""  # expected
    called: str = ""

    @property
    def right(self):
        return self.answer_text == self.answer and self.called == self.call

    @property
    def endpoint_missed(self):
        return self.result.endpoint_forced


def word_errors(reference, hypothesis):
    """Edit distance between two lists of words."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != heard))
    return row[-1]


def spoken_turns(conversation, speak, tokenizer):
    return [decode.Turn(heard=None if turn.get("result") else turn["codes"].tolist(), speak=speak, shown=turn.get("shown", ()),
                        **functions_of(turn, tokenizer)) for turn in conversation]


def functions_of(turn, tokenizer):
    """What decode.Turn wants to know of the functions that this record, or these fields of a grammar turn, declare or return."""
    declared, result = turn.get("declared"), turn.get("result")
    return {"declared": None if declared is None else tokenizer.encode(declared),
            "returned": tokenizer.encode(result) if result else None}


def called(result, tokenizer):
    return tokenizer.decode(result.called[0]) if result.called else ""


def run_spoken(model, tokenizer, conversations, speak=False, batch=64, threshold=None, limits=None):
    """conversations: from dataset.load_questions -> list of Scored, one per scored turn."""
    scored = []
    for begin in range(0, len(conversations), batch):
        some = conversations[begin : begin + batch]
        rows = decode.decode(model, [spoken_turns(c, speak, tokenizer) for c in some], threshold, limits)
        for conversation, row in zip(some, rows):
            for turn, result in zip(conversation, row.results):
                if not turn.get("scored", True):
                    continue
                text = tokenizer.decode([piece for piece, _ in result.transcript])
                latency = (result.endpoint_frame + 1) * FRAME_SECONDS - turn["speech_end"]
                scored.append(
                    Scored(
                        turn["question"],
                        turn["answer"],
                        turn["skill"],
                        result,
                        text,
                        tokenizer.decode(result.text),
                        latency,
                        not turn.get("result"),
                        turn.get("call", ""),
                        called(result, tokenizer),
                    )
                )
    return scored


def run_typed(model, tokenizer, dialogues, speak=False, batch=64):
    """dialogues: from grammar.test_set -> list of Scored."""
    scored = []
    for begin in range(0, len(dialogues), batch):
        some = dialogues[begin : begin + batch]
        turns = [[decode.Turn(typed=tokenizer.encode(t.typed or t.question), speak=speak, **functions_of(vars(t), tokenizer))
                  for t in d.turns] for d in some]
        for dialogue, row in zip(some, decode.decode(model, turns)):
            for index in dialogue.scored or range(len(dialogue.turns)):
                if index < len(row.results):
                    turn, result = dialogue.turns[index], row.results[index]
                    text = tokenizer.decode(result.text)
                    scored.append(Scored(turn.typed or turn.question, turn.answer, turn.skill, result, "", text, call=turn.call,
                                         called=called(result, tokenizer)))
    return scored


def run_pictures(model, tokenizer, conversations, batch=64):
    """conversations: from picture_shards.load, of one typed question each -> list of Scored."""
    scored = []
    for begin in range(0, len(conversations), batch):
        some = [turn for turn, in conversations[begin : begin + batch]]
        asked = [decode.Turn(typed=tokenizer.encode(t["typed"]), speak=False, shown=t.get("shown", ())) for t in some]
        for turn, row in zip(some, decode.decode(model, [[a] for a in asked])):
            (result,) = row.results
            text = tokenizer.decode(result.text)
            scored.append(Scored(turn["typed"], turn["answer"], turn["skill"], result, "", text))
    return scored


def percent(values):
    return round(100 * float(np.mean(values)), 1) if len(values) else None


def summary(scored):
    """Figures of one row: percentages, milliseconds."""
    out = {"n": len(scored), "right": percent([s.right for s in scored])}
    heard = [s for s in scored if s.spoken_question]
    if heard:
        errors = sum(word_errors(s.question.split(), s.heard_text.split()) for s in heard)
        out["transcript_wer"] = round(100 * errors / sum(len(s.question.split()) for s in heard), 1)
        understood = [s.right for s in heard if s.question.split() == s.heard_text.split()]
        out["right_if_understood"] = percent(understood)
        out["cut_in"] = percent([s.latency < 0 for s in heard])
        out["missed"] = percent([s.endpoint_missed for s in heard])
        out["within_240_ms"] = percent([0 <= s.latency <= 0.24 and not s.endpoint_missed for s in heard])
        taken = [1000 * s.latency for s in heard if s.latency >= 0 and not s.endpoint_missed]
        if taken:
            out["endpoint_ms_p50_p90"] = [round(float(v)) for v in np.percentile(taken, [50, 90])]
    return out


def by_skill(scored):
    skills = sorted({s.skill for s in scored})
    return {skill: percent([s.right for s in scored if s.skill == skill]) for skill in skills}
