"""How well the output voice is understood in each manner of speaking: `python3 -m audio_codec.manners` prints a table.

Held-out texts in the output voice, encoded and said from their codes in every voice at every speed, judged by pocketsphinx
as in evaluate.py; their length and mean pitch. With --pitch and --tract the low voice is tried with other factors.
"""

import argparse
import json
import os

import torch

import voices
from audio_codec import evaluate, export, pitch, recogniser
from audio_codec.model import FRAME
from audio_codec.restore_codec import restored
from audio_codec.source_filter import HOP, MANNERS, OUTPUT_DELAY, SPEEDS, VOICES, Manner


def load(options):
    """(codec, decoder) of checkpoints, or of a model folder."""
    if options.codec:
        return export.load_codec(options.codec), export.load_decoder(options.decoder)
    _, codec, decoder = restored(options.model)
    export.fold_constants(decoder)
    return codec.eval(), decoder.eval()


@torch.no_grad()
def vectors_of(codec, wave):
    frames = -(-(len(wave) + OUTPUT_DELAY) // FRAME)
    padded = torch.zeros(1, frames * FRAME)
    padded[0, : len(wave)] = torch.from_numpy(wave)
    return codec.quantiser.decode(codec.encode(padded))[0]


def mean_pitch(waves):
    """Of the voiced hops, in Hz. The tracker finds 84 Hz and more."""
    tracks = [pitch.track(torch.from_numpy(wave)) for wave in waves]
    return float(torch.cat([torch.exp(log_pitch)[voiced > 0] for log_pitch, voiced in tracks]).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    folder = os.environ.get("WREN_WORK", "/tmp/wren")
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "wren"), help="folder whose codec is judged")
    parser.add_argument("--codec", help="codec_tokens.pt, with --decoder: checkpoints instead")
    parser.add_argument("--decoder", help="decoder.pt")
    parser.add_argument("--data", default=folder + "/codec_data")
    parser.add_argument("--out", help="JSON")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--pitch", type=float, nargs="*", default=[], help="factors to try, at normal speed")
    parser.add_argument("--tract", type=float, nargs="*", default=[], help="factors to try, with each of --pitch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, decoder = load(options)
    texts, closed, vocabulary = evaluate.test_texts(options.data, options.count)
    grammars = {"closed": recogniser.sentence_grammar(closed), "loop": recogniser.loop_grammar(vocabulary)}
    vectors = [vectors_of(codec, voices.synthesize(text, voices.OUTPUT_VOICE).wave) for text in texts]
    tried = {(f"{p:g} {t:g}", "normal"): Manner(HOP, p, t) for p in options.pitch for t in options.tract}
    print(f"{len(texts)} held-out texts, {sum(len(t.split()) for t in texts)} words; word error rate in per cent")
    print(f"{'voice':12s}{'speed':8s}{'seconds':>9s}{'mean Hz':>9s}{'closed grammar':>16s}{'free loop':>12s}")
    report = []
    for (voice, speed), manner in (tried or MANNERS).items():
        waves = [decoder.render(of_text, [manner] * len(of_text)).numpy() for of_text in vectors]
        row = {g: round(recogniser.word_error_rate(texts, recogniser.recognise(waves, text)), 1)
               for g, text in grammars.items()}
        row.update(voice=voice, speed=speed, seconds=round(sum(map(len, waves)) / 16000, 2), hertz=round(mean_pitch(waves)))
        report.append(row)
        print(f"{voice:12s}{speed:8s}{row['seconds']:9.1f}{row['hertz']:9d}{row['closed']:16.1f}{row['loop']:12.1f}", flush=True)
    if options.out:
        with open(options.out, "w") as out:
            json.dump({"texts": len(texts), "voices": VOICES, "speeds": SPEEDS, "manners": report}, out, indent=1)


if __name__ == "__main__":
    main()
