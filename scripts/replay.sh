#!/usr/bin/env bash
# Records sessions with a running model and has them replayed eight at a time: every token must be the same. Each session
# is a spoken turn, a typed one with a picture to draw where the model can, and one more, drawn at random with a seed of its own.
# Takes some ten minutes on two cores. SESSIONS=n for another number than 50, MODEL=folder for another model, OUT=folder
# for the recordings. Needs what scripts/demo.sh has built.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${MODEL:-models/wren}
out=${OUT:-build/recordings}
sessions=${SESSIONS:-50}
bin=build/release/bin
spoken=("what is the capital of france" "what day comes after monday" "count from three to seven" "my name is ann")
typed=("draw a star" "draw a heart" "what is two plus three" "speak faster")
last=("what is my name" "what did you draw" "thank you")

fail() {
  echo "$*" >&2
  exit 1
}

server=
stop() {
  [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  server=
}
trap stop EXIT

# start <options of antiphond>: sets `server` and `address`.
start() {
  "$bin/antiphond" --model "$model" --listen 127.0.0.1:0 "$@" >"$out/antiphond.out" 2>"$out/antiphond.log" &
  server=$!
  address=
  for ((i = 0; i < 600; ++i)); do
    address=$(sed -n 's/^listening on //p' "$out/antiphond.out")
    [[ -z $address ]] || return 0
    kill -0 "$server" 2>/dev/null || { tail -n 5 "$out/antiphond.log" >&2; fail "antiphond ended before it listened"; }
    sleep 0.1
  done
  fail "antiphond does not listen after 60 s; see $out/antiphond.log"
}

[[ -x $bin/antiphond ]] || fail "$bin/antiphond is not there: scripts/demo.sh builds it"
rm -rf "$out"
mkdir -p "$out"
start --record "$out"
for ((n = 0; n < sessions; ++n)); do
  espeak-ng -s 150 -w "$out/question.wav" "${spoken[n % ${#spoken[@]}]}"
  "$bin/antiphon" ask --server "$address" --fast --seed "$n" --temperature 0.8 --audio "$out/question.wav" \
    --text "${typed[n % ${#typed[@]}]}" --text "${last[n % ${#last[@]}]}" >"$out/answer.txt" \
    || { cat "$out/answer.txt" >&2; fail "session $n failed"; }
done
stop

start --allow-replay
"$bin/antiphon" replay --server "$address" --sessions 8 "$out"/*.recording
