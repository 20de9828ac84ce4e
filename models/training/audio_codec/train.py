"""The whole codec in one command: data, encoder, ears, frozen tokens, decoder, export, evaluation.

    python3 -m audio_codec.train --work /tmp/wren --encoder-minutes 45 --hearing-minutes 30 --decoder-minutes 30

The model's files and golden vectors go to WORK/export, with --install into the repository. Steps whose result is already in the work folder are left out, so a broken run goes on where it stopped; delete a file to
make it again. Needs Debian's python3-torch, libflite1, libespeak-ng1, pocketsphinx and pocketsphinx-en-us.
"""

import argparse
import os
import subprocess
import sys

TRAINING = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def step(result, script, *arguments):
    """Runs a script of this package unless `result` is there."""
    if result and os.path.exists(result):
        print(f"{script}: {result} is there", flush=True)
        return
    print(script, *arguments, flush=True)
    command = [sys.executable, "-m", "audio_codec." + script, *map(str, arguments)]
    subprocess.run(command, cwd=TRAINING, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default=os.environ.get("WREN_WORK", "/tmp/wren"), help="data and checkpoints")
    parser.add_argument("--encoder-minutes", type=float, default=45)
    parser.add_argument("--hearing-minutes", type=float, default=30)
    parser.add_argument("--decoder-minutes", type=float, default=30)
    parser.add_argument("--output-seconds", type=float, default=7200, help="speech of the output voice")
    parser.add_argument("--input-seconds", type=float, default=14400, help="speech of the input voices")
    parser.add_argument("--install", action="store_true",
                        help="export into the repository; the language model must then be trained on the new codes")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    path = lambda name: os.path.join(os.path.abspath(options.work), name)
    step(path("codec_data/input.json"), "data", "--out", path("codec_data"), "--output-seconds", options.output_seconds,
         "--input-seconds", options.input_seconds, "--processes", options.processes)
    step(path("encoder.pt"), "train_encoder", "--data", path("codec_data"), "--out", path("encoder.pt"),
         "--minutes", options.encoder_minutes, "--processes", options.processes)
    step(path("hearing.pt"), "train_hearing", "--data", path("codec_data"), "--start", path("encoder.pt"),
         "--out", path("hearing.pt"), "--minutes", options.hearing_minutes, "--processes", options.processes)
    step(path("codec_tokens.pt"), "codec_tokens", "--encoder", path("encoder.pt"), "--out", path("codec_tokens.pt"))
    step(path("hearing_tokens.pt"), "codec_tokens", "--encoder", path("hearing.pt"), "--out", path("hearing_tokens.pt"))
    step(path("decoder.pt"), "train_decoder", "--data", path("codec_data"), "--encoder", path("codec_tokens.pt"),
         "--out", path("decoder.pt"), "--minutes", options.decoder_minutes, "--processes", options.processes)
    common = ("--codec", path("codec_tokens.pt"), "--decoder", path("decoder.pt"), "--data", path("codec_data"))
    os.makedirs(path("export"), exist_ok=True)
    to = () if options.install else ("--model", path("export"), "--golden", path("export"))
    step(None, "export", *common, "--hearing", path("hearing_tokens.pt"), "--section", path("audio_codec.json"), *to)
    step(None, "evaluate", *common, "--out", path("codec_evaluation.json"))


if __name__ == "__main__":
    main()
