"""Draws a training log as an SVG figure without any library.

    python3 -m language.plot_log /tmp/wren/lm/log.jsonl docs/wren_training.svg
"""

import json
import sys

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 420, 260, 46, 34, 70
_COLORS = ("#1f6fb4", "#d1602b", "#2f8f4e", "#8a4fa3", "#6b6b6b")


class _Panel:
    """One coordinate system; x in minutes."""

    def __init__(self, left, title, longest, low, high):
        self.left, self.title, self.longest, self.low, self.high = left, title, longest, low, high
        self.parts, self.names = [], []

    def _point(self, x, y):
        across = self.left + x / self.longest * _WIDTH
        return across, _TOP + (self.high - min(max(y, self.low), self.high)) / (self.high - self.low) * _HEIGHT

    def curve(self, name, points, marked=False):
        color = _COLORS[len(self.names) % len(_COLORS)]
        path = " ".join("{:.1f},{:.1f}".format(*self._point(x, y)) for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        if marked:
            for x, y in points:
                self.parts.append('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*self._point(x, y), color))
        self.names.append((name, color))

    def svg(self):
        out = [f'<text x="{self.left}" y="{_TOP - 14}" font-weight="bold">{self.title}</text>']
        for n in range(5):
            value = self.low + (self.high - self.low) * n / 4
            x, y = self._point(0, value)
            out.append(f'<line x1="{x}" y1="{y:.1f}" x2="{x + _WIDTH}" y2="{y:.1f}" stroke="#ddd"/>')
            out.append(f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for n in range(5):
            x, y = self._point(self.longest * n / 4, self.low)
            out.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{self.longest * n / 4:.0f} min</text>')
        for n, (name, color) in enumerate(self.names):
            y = _TOP + _HEIGHT + 38 + 16 * n
            out.append(f'<rect x="{self.left}" y="{y - 9}" width="14" height="4" fill="{color}"/>')
            out.append(f'<text x="{self.left + 20}" y="{y}">{name}</text>')
        return out + self.parts


def figure(lines):
    """lines: the log's entries -> SVG text."""
    steps = [e for e in lines if not e.get("evaluation")]
    checks = [e for e in lines if e.get("evaluation")]
    longest = max(e["minutes"] for e in lines)
    losses = _Panel(_LEFT, "training loss (noisy inputs)", longest, 0, 6)
    for key, name in (("hear_word", "transcript words"), ("hear_over", "end of the turn"), ("spoken_text", "spoken answer, text"),
                      ("typed_text", "typed answer, text"), ("code0", "spoken answer, first codebook")):
        points = [(e["minutes"], e[key][0]) for e in steps if key in e]
        if points:
            losses.curve(name, points)
    place = _LEFT + _WIDTH + _GAP
    right = _development(place, longest, checks) if checks else _batches(place, longest, steps)
    width, height = 2 * _WIDTH + _LEFT + _GAP + 20, _TOP + _HEIGHT + 130
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>'] + losses.svg() + right.svg() + ["</svg>"]) + "\n"


def _development(place, longest, checks):
    right = _Panel(place, "right answers on development sets, %", longest, 0, 100)
    for key, name in (("spoken held_out_texts_dev.train", "spoken, held-out texts, training voices"),
                      ("spoken held_out_texts_dev.heldout", "spoken, held-out texts, held-out voices"),
                      ("typed_held_out_dev", "typed, held-out texts"),
                      ("spoken follow_ups_dev.train", "spoken follow-ups, training voices"),
                      ("typed_held_out_pairs_dev", "typed, number pairs never trained")):
        value = lambda e: e[key]["right"] if isinstance(e[key], dict) else e[key]
        points = [(e["minutes"], value(e)) for e in checks if key in e]
        if points:
            right.curve(name, points, marked=True)
    return right


def _batches(place, longest, steps):
    right = _Panel(place, "right in training batches, given what came before, %", longest, 0, 100)
    for key, name in (("hear_word", "transcript words"), ("code0", "spoken answer, first codebook"), ("drawn", "codes of drawings"),
                      ("drawn_thing", "what is being drawn"), ("seen_thing", "what is seen")):
        points = [(e["minutes"], 100 * e[key][1]) for e in steps if key in e]
        if points:
            right.curve(name, points)
    return right


def main():
    with open(sys.argv[1]) as source:
        lines = [json.loads(line) for line in source if line.strip()]
    with open(sys.argv[2], "w") as out:
        out.write(figure(lines))


if __name__ == "__main__":
    main()
