"""Greedy streaming decoding of Wren in plain PyTorch: the reference the C++ runtime is held to.

It works on the exported weights (name -> float32 tensor, see export.py), not on the training module, and feeds every
conversation one position at a time, many conversations in lockstep. Rows never influence each other.

Token stream, masks and the end-of-turn threshold follow the model folder's config.json; nothing is hard-coded.
"""

import dataclasses
import math

import torch

_NEVER = -1e30


class ReferenceModel:
    """Backbone and depth decoder from exported weights; keys and values of `rows` sequences are kept inside."""

    def __init__(self, weights, config):
        self.config = config
        backbone, depth = config["backbone"], config["depth"]
        self.width, self.layers = backbone["width"], backbone["layers"]
        self.heads, self.kv_heads, self.head_width = backbone["heads"], backbone["kv_heads"], backbone["head_width"]
        self.eps, self.depth_eps = backbone["norm_eps"], depth["norm_eps"]
        self.depth_layers, self.depth_heads = depth["layers"], depth["heads"]
        self.codebooks = len(config["audio"]["codebook_sizes"])
        self.end_of_audio = config["audio"]["codebook_sizes"][0]
        self.w = {name: tensor.float() for name, tensor in weights.items()}
        # x W^T with W transposed once: the decode loop is dominated by these products.
        self.t = {name: tensor.t().contiguous() for name, tensor in self.w.items() if tensor.dim() == 2}
        half = self.head_width // 2
        exponent = torch.arange(half, dtype=torch.float32) / half
        self.inverse_frequency = backbone["rope_theta"] ** (-exponent)

    def start(self, rows, capacity):
        """Forgets all sequences and makes room for `rows` of them, `capacity` positions each."""
        shape = (self.layers, rows, self.kv_heads, capacity, self.head_width)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.position = 0

    def _norm(self, x, name, eps):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * self.w[name]

    def embed(self, symbols, heard, has_heard, spoken, has_spoken):
        """symbols [B]; heard and spoken [B, K] with flags [B] saying which rows have them -> [B, width]."""
        x = self.w["embed.symbol"][symbols]
        for k in range(self.codebooks):
            x = x + self.w[f"embed.heard.{k}"][heard[:, k]] * has_heard[:, None]
            x = x + self.w[f"embed.spoken.{k}"][spoken[:, k]] * has_spoken[:, None]
        return x

    def step(self, x):
        """One position for every row: x [B, width] -> normalised output state [B, width]."""
        rows, at = x.shape[0], self.position
        angle = at * self.inverse_frequency
        cos, sin = torch.cos(angle), torch.sin(angle)

        def rotate(u):
            a, b = u.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        group = self.heads // self.kv_heads
        for i in range(self.layers):
            p = f"layers.{i}."
            n = self._norm(x, p + "attn_norm", self.eps)
            q = rotate((n @ self.t[p + "wq"]).view(rows, self.heads, self.head_width))
            self.keys[i, :, :, at] = rotate((n @ self.t[p + "wk"]).view(rows, self.kv_heads, self.head_width))
            self.values[i, :, :, at] = (n @ self.t[p + "wv"]).view(rows, self.kv_heads, self.head_width)
            keys, values = self.keys[i, :, :, : at + 1], self.values[i, :, :, : at + 1]
            # Query head h reads key/value head h // group.
            q = q.view(rows, self.kv_heads, group, self.head_width)
            score = q @ keys.transpose(-1, -2) / math.sqrt(self.head_width)
            mixed = score.softmax(-1) @ values
            x = x + mixed.reshape(rows, self.heads * self.head_width) @ self.t[p + "wo"]
            n = self._norm(x, p + "mlp_norm", self.eps)
            gate = torch.nn.functional.silu(n @ self.t[p + "w_gate"])
            x = x + (gate * (n @ self.t[p + "w_up"])) @ self.t[p + "w_down"]
        self.position += 1
        return self._norm(x, "norm", self.eps)

    def symbol_logits(self, h):
        return h @ self.t["head"]

    def speak(self, h):
        """Greedy depth decoding: h [B, width] -> codes [B, K] and the list of K logit tensors.

        Codebook 0 may be the end-of-audio index, then the other codes of that row mean nothing.
        """
        rows, heads = h.shape[0], self.depth_heads
        keys = [[] for _ in range(self.depth_layers)]
        values = [[] for _ in range(self.depth_layers)]
        codes, logits = [], []
        for k in range(self.codebooks):
            x = h @ self.t[f"depth.input.{k}"] + self.w["depth.position"][k]
            if k > 0:
                table = self.w[f"depth.embed.{k - 1}"]
                x = x + table[codes[-1].clamp(max=table.shape[0] - 1)]
            head_width = x.shape[1] // heads
            for i in range(self.depth_layers):
                p = f"depth.layers.{i}."
                n = self._norm(x, p + "attn_norm", self.depth_eps)
                q = (n @ self.t[p + "wq"]).view(rows, heads, 1, head_width)
                keys[i].append((n @ self.t[p + "wk"]).view(rows, heads, 1, head_width))
                values[i].append((n @ self.t[p + "wv"]).view(rows, heads, 1, head_width))
                score = q @ torch.cat(keys[i], 2).transpose(-1, -2) / math.sqrt(head_width)
                mixed = score.softmax(-1) @ torch.cat(values[i], 2)
                x = x + mixed.reshape(rows, -1) @ self.t[p + "wo"]
                n = self._norm(x, p + "mlp_norm", self.depth_eps)
                gate = torch.nn.functional.silu(n @ self.t[p + "w_gate"])
                x = x + (gate * (n @ self.t[p + "w_up"])) @ self.t[p + "w_down"]
            logits.append(self._norm(x, "depth.norm", self.depth_eps) @ self.t[f"depth.head.{k}"])
            codes.append(logits[-1].argmax(-1))
        return torch.stack(codes, 1), logits


@dataclasses.dataclass
class Turn:
    """What the user does in one turn, and how the model is to answer. One of `heard`, `typed`, `returned` is given."""

    heard: object = None  # [frames, K] integer codes
    typed: object = None  # list of text pieces
    speak: bool = True  # answer in speech with text, or in text only
    shown: tuple = ()  # pictures that come first, each a list of codes
    pictures: int = 1  # that the answer may draw
    declared: object = None  # text pieces of the functions that may be called from now on; default: those before
    returned: object = None  # text pieces of what a function returned


@dataclasses.dataclass
class TurnResult:
    transcript: list = dataclasses.field(default_factory=list)  # (piece, heard frame at which it was written)
    endpoint_frame: int = -1  # heard frame at which `<assistant>` was written; the last one if it never was
    endpoint_forced: bool = False  # the frames ran out and the client committed
    endpoint_probability: list = dataclasses.field(default_factory=list)  # per heard frame
    text: list = dataclasses.field(default_factory=list)  # answer pieces
    codes: list = dataclasses.field(default_factory=list)  # spoken frames, K integers each
    drawn: list = dataclasses.field(default_factory=list)  # pictures, each a list of codes
    called: list = dataclasses.field(default_factory=list)  # pieces of each function that was called
    manner: dict = dataclasses.field(default_factory=dict)  # "speed", "voice" -> what was chosen for later answers
    complete: bool = True  # False: cut by a limit


@dataclasses.dataclass
class Position:
    """One position as it was run, for the recorded vectors. phase: what the symbol output was used for."""

    symbol: int
    heard: object
    spoken: object
    phase: int  # 0 ignored, 1 hearing, 2 answering before <end>, 3 after <end>, 4 a picture's code, 5 a picture's end, 6 in a call
    written: int = -1
    written_codes: object = None  # K codes, or [end of audio] alone
    margin: float = math.inf  # distance of the closest decision taken here
    logits: object = None
    depth_logits: object = None


class _Row:
    """State machine of one conversation: says what the next position reads, takes what the model wrote there."""

    def __init__(self, turns, config, limits):
        self.turns, self.limits = turns, limits
        self.symbols, self.lead = config["symbols"], config["stream"]["speech_lead"]
        self.end_of_audio = config["audio"]["codebook_sizes"][0]
        self.image, self.tools = config.get("image"), config.get("tools")
        self.declared = False
        self.chooses = {symbol: name.split("_") for name, symbol in config.get("manner", {}).items()}
        self.results, self.trace = [], []
        self.turn, self.state, self.done = -1, "bos", False
        self.next_symbol, self.next_spoken = self.symbols["bos"], None

    def _begin_turn(self):
        self.turn += 1
        if self.turn == len(self.turns):
            self.done = True
            return
        self.results.append(TurnResult())
        turn = self.turns[self.turn]
        self.unread = self._functions(turn) + [symbol for codes in turn.shown for symbol in self._picture(codes)]
        self.unread += list(turn.typed or ())
        self.state = "hear" if turn.heard is not None and not self.unread else "type"
        self.frame, self.next_symbol, self.next_spoken = 0, self.symbols["user"], None

    def _functions(self, turn):
        read = []
        if turn.declared is not None:
            self.declared = len(turn.declared) > 0
            read += [self.tools["tools"], *turn.declared, self.tools["tools_end"]]
        if turn.returned is not None:
            read += [self.tools["result"], *turn.returned, self.tools["result_end"]]
        return read

    def _picture(self, codes):
        return [self.image["begin"], *(self.image["first_code"] + int(code) for code in codes), self.image["end"]]

    def _begin_answer(self):
        self.state, self.j, self.text_over, self.audio_over = "answer", 0, False, False
        self.drawing = self.calling = False
        self.next_symbol, self.next_spoken = self.symbols["assistant"], None

    def read(self):
        """-> Position with its inputs and phase filled in."""
        heard, phase = None, 0
        if self.state == "hear":
            heard, phase = self.turns[self.turn].heard[self.frame], 1
        elif self.state == "answer":
            phase = 3 if self.text_over else self._drawing_phase() if self.drawing else 6 if self.calling else 2
        return Position(int(self.next_symbol), heard, self.next_spoken, phase)

    def _drawing_phase(self):
        return 4 if len(self.results[-1].drawn[-1]) < self.image["grid"] ** 2 else 5

    def may_draw(self):
        """A picture may begin here."""
        return self.state == "answer" and len(self.results[-1].drawn) < self.turns[self.turn].pictures

    def may_call(self):
        """A call may begin here."""
        return self.state == "answer" and self.declared and not self.results[-1].called

    def may_choose(self, kind):
        """A symbol of this kind, "speed" or "voice", may be written here."""
        return self.state == "answer" and kind not in self.results[-1].manner

    def speaks(self):
        turn = self.turns[self.turn] if 0 <= self.turn < len(self.turns) else None
        return self.state == "answer" and turn.speak and not self.audio_over and self.j >= self.lead

    def take(self, position, best, assistant_probability, threshold, codes):
        """best: the allowed symbol with the highest logit; codes: the frame written here, or None."""
        result = self.results[-1] if self.results else None
        if self.state == "bos":
            self._begin_turn()
        elif self.state == "hear":
            result.endpoint_probability.append(assistant_probability)
            over = assistant_probability > threshold
            position.written = self.symbols["assistant"] if over else best
            result.endpoint_frame = self.frame
            if not over and best != self.symbols["pad"]:
                result.transcript.append((best, self.frame))
            self.frame += 1
            result.endpoint_forced = not over and self.frame == len(self.turns[self.turn].heard)
            if over or result.endpoint_forced:
                self._begin_answer()
            else:
                self.next_symbol = best
        elif self.state == "type":
            if self.unread:
                self.next_symbol = self.unread.pop(0)
            elif self.turns[self.turn].heard is not None:
                self.state, self.next_symbol = "hear", self.symbols["pad"]
            else:
                self._begin_answer()
        elif self.state == "answer":
            self._answer(position, result, best, codes)
        elif self.state == "close":  # has read <end> of a written answer
            self._begin_turn()

    def _answer(self, position, result, best, codes):
        begins = self.image is not None and best == self.image["begin"]
        calls = self.tools is not None and best == self.tools["call"]
        chooses = None if self.text_over or self.drawing else self.chooses.get(best)
        inside = self.drawing or self.calling
        full = len(result.text) == self.limits.pieces and not inside and not begins and not calls and not chooses
        if not self.text_over and best != self.symbols["end"] and full:
            best, result.complete = self.symbols["end"], False
        position.written, self.next_symbol, self.next_spoken = best, best, None
        if self.drawing:
            self.drawing = best != self.image["end"]
            if self.drawing:
                result.drawn[-1].append(best - self.image["first_code"])
        elif self.calling:
            self.calling = best != self.tools["call_end"]
            if self.calling:
                result.called[-1].append(best)
        elif begins:
            self.drawing = True
            result.drawn.append([])
        elif calls:
            self.calling = True
            result.called.append([])
        elif chooses:
            kind, choice = chooses
            result.manner[kind] = choice
        elif not self.text_over:
            self.text_over = best == self.symbols["end"]
            if not self.text_over:
                result.text.append(best)
        if codes is not None:
            self.audio_over = codes[0] == self.end_of_audio
            if not self.audio_over:
                result.codes.append(codes)
                self.next_spoken = codes
                if len(result.codes) == self.limits.frames:
                    self.audio_over, result.complete = True, False
        self.j += 1
        if self.text_over and not self.turns[self.turn].speak:
            self.state = "close"
        elif self.text_over and self.audio_over:
            self._begin_turn()


@dataclasses.dataclass
class Limits:
    pieces: int = 96  # text pieces of one answer
    call: int = 200  # of one call
    frames: int = 160  # spoken frames of one answer
    positions: int = 1600  # of a whole conversation


def _allowed(config):
    """-> additive masks [V]: while hearing, while answering before `<end>`, there when a picture may begin, inside one, and
    inside a call; and what may be chosen or called -> mask of what its symbols, where they may not be written, are barred by."""
    s, image, tools = config["symbols"], config.get("image"), config.get("tools")
    vocabulary, pieces = s["vocab_size"], s.get("text_pieces", s["vocab_size"])

    def only(ids):
        mask = torch.full((vocabulary,), _NEVER)
        mask[ids] = 0.0
        return mask

    controls = {s[name] for name in ("pad", "unk", "bos", "end", "user", "assistant")}
    text = [i for i in range(pieces) if i not in controls]
    answering, codes = text + [s["end"]], []
    barred = {}
    for name, symbol in config.get("manner", {}).items():
        answering.append(symbol)
        barred.setdefault(name.split("_")[0], torch.zeros(vocabulary))[symbol] = _NEVER
    call = []
    if tools:
        answering.append(tools["call"])
        barred["call"] = torch.zeros(vocabulary)
        barred["call"][tools["call"]] = _NEVER
        call = text + [tools["call_end"]]
    drawing = answering
    if image:
        drawing = answering + [image["begin"]]
        codes = list(range(image["first_code"], image["first_code"] + image["codebook_size"]))
    return only(text + [s["pad"]]), only(answering), only(drawing), only(codes), only(call), barred


def _gap(logits):
    top = logits.topk(2).values
    return float(top[0] - top[1])


@torch.no_grad()
def decode(model, conversations, threshold=None, limits=None, record=False):
    """Runs every conversation (list of Turn) to its end -> list of rows with .results (a TurnResult per turn)
    and, with `record`, .trace (a Position per position, with logits)."""
    config = model.config
    limits = limits or Limits()
    threshold = config["sampling"]["endpoint_threshold"] if threshold is None else threshold
    hearing_mask, answering_mask, drawing_mask, code_mask, call_mask, barred = _allowed(config)
    pad, assistant = config["symbols"]["pad"], config["symbols"]["assistant"]
    image_end = config["image"]["end"] if "image" in config else None
    call_end = config["tools"]["call_end"] if "tools" in config else None
    rows = [_Row(turns, config, limits) for turns in conversations]
    capacity = 64
    model.start(len(rows), capacity)
    active = list(range(len(rows)))
    while active and model.position < limits.positions:
        if model.position == capacity:
            grown = torch.zeros_like(model.keys)
            model.keys, model.values = torch.cat([model.keys, grown], 3), torch.cat([model.values, grown], 3)
            capacity *= 2
        positions = [rows[b].read() for b in active]
        h = model.step(model.embed(*_inputs(model, positions)))
        logits = model.symbol_logits(h)
        hearing = logits + hearing_mask
        may_draw = torch.tensor([rows[b].may_draw() for b in active])
        inside = torch.tensor([p.phase == 4 for p in positions])
        answering = logits + torch.where(may_draw[:, None], drawing_mask, answering_mask)
        for kind, mask in barred.items():
            chosen = torch.tensor([not (rows[b].may_call() if kind == "call" else rows[b].may_choose(kind)) for b in active])
            answering = answering + chosen[:, None] * mask
        answering = torch.where(inside[:, None], logits + code_mask, answering)
        calling = torch.tensor([p.phase == 6 for p in positions])
        answering = torch.where(calling[:, None], logits + call_mask, answering)
        best_hearing, best_answering = hearing.argmax(-1).tolist(), answering.argmax(-1).tolist()
        probability = logits.softmax(-1)[:, assistant].tolist()
        speaking = [n for n, b in enumerate(active) if rows[b].speaks()]
        codes, depth_logits = model.speak(h[speaking]) if speaking else (None, None)
        spoken = dict(zip(speaking, codes.tolist())) if speaking else {}
        for n, b in enumerate(active):
            position = positions[n]
            # No word is due when the turn is more likely over than not, and may not be ended.
            word = pad if probability[n] > 0.5 else best_hearing[n]
            best = {0: pad, 1: word, 2: best_answering[n], 3: pad, 4: best_answering[n], 5: image_end, 6: best_answering[n]}[position.phase]
            if position.phase == 6 and len(rows[b].results[-1].called[-1]) == limits.call:
                best = call_end
            frame = spoken.get(n)
            if record:
                position.logits = logits[n].clone()
                if position.phase == 1:
                    position.margin = min(_gap(hearing[n]), 10 * abs(probability[n] - threshold))
                elif position.phase in (2, 4, 6):
                    position.margin = _gap(answering[n])
                if frame is not None:
                    at = speaking.index(n)
                    position.depth_logits = [level[at].clone() for level in depth_logits]
                    over = frame[0] == model.end_of_audio
                    position.written_codes = frame[:1] if over else frame
                    used = position.depth_logits[: len(position.written_codes)]
                    position.margin = min([position.margin] + [_gap(level) for level in used])
                rows[b].trace.append(position)
            rows[b].take(position, best, probability[n], threshold, frame)
        still = [n for n, b in enumerate(active) if not rows[b].done]
        if len(still) < len(active):  # finished rows leave, so that the others get cheaper
            model.keys, model.values = model.keys[:, still], model.values[:, still]
            active = [active[n] for n in still]
    for b in active:
        rows[b].results[-1].complete = False
    return rows


def _inputs(model, positions):
    symbols = torch.tensor([p.symbol for p in positions])
    nothing = [0] * model.codebooks
    heard = torch.tensor([nothing if p.heard is None else [int(c) for c in p.heard] for p in positions])
    spoken = torch.tensor([nothing if p.spoken is None else p.spoken for p in positions])
    has_heard = torch.tensor([float(p.heard is not None) for p in positions])
    has_spoken = torch.tensor([float(p.spoken is not None) for p in positions])
    return symbols, heard, has_heard, spoken, has_spoken
