#!/usr/bin/env bash
# Asks a running model spoken questions and shows its spoken answers; one that knows pictures is asked about one and for
# one, one that calls functions to call one. Sets up and builds what is missing, starts antiphond, speaks to it in real
# time over gRPC, checks the answers,
# stops it. The answers are left as WAV and PNG files.
# Takes about a minute once built. MODEL=folder picks another model, OUT=folder another place for the answers.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${MODEL:-models/wren}
out=${OUT:-build/demo}
bin=build/release/bin
# Voice of espeak-ng, question, answer; what is shown with it (background and thing), what is to be drawn (likewise); a
# function that the model may call, and what its call comes to.
questions=(
  "en-us+f2|what is the capital of france|paris is the capital of france|||"
  "en-us+f3|what day comes after monday|tuesday comes after monday|||"
  "en-us|count from three to seven|three four five six seven|||"
)
# For a model that knows pictures.
about_pictures=(
  "en-us+f2|what is this|this is a strawberry|blue strawberry||"
  "en-us+f3|draw a star|here is a star||white star|"
)
# For one that calls functions.
about_functions=(
  "en-us|set a timer for five minutes|okay your timer is set for five minutes|||set_timer(minutes:integer)={\"ok\":true}"
)

step="starting"
say() {
  step=$*
  printf '\n== %s\n' "$*"
}
fail() {
  echo "$*" >&2
  exit 1
}

server=
finish() {
  local status=$?
  [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  ((status == 0)) || printf '\nDEMO FAILED at step %s\n' "$step" >&2
}
trap finish EXIT

say "1/4 packages"
scripts/setup.sh
[[ -f $model/config.json ]] || fail "there is no model in $model"
if grep -q '"image"' "$model/config.json"; then questions+=("${about_pictures[@]}"); fi
if grep -q '"tools"' "$model/config.json"; then questions+=("${about_functions[@]}"); fi

say "2/4 build (minutes when nothing is built yet)"
cmake --preset release --log-level=WARNING
cmake --build --preset release --target antiphond antiphon -- -j "$(nproc)"

say "3/4 antiphond with $model"
mkdir -p "$out"
rm -f "$out"/*.wav "$out"/*.png "$out"/*.json "$out"/antiphond.*
# Port 0: the system picks a free one and antiphond says which.
"$bin/antiphond" --model "$model" --listen 127.0.0.1:0 >"$out/antiphond.out" 2>"$out/antiphond.log" &
server=$!
address=
for ((i = 0; i < 600; ++i)); do
  address=$(sed -n 's/^listening on //p' "$out/antiphond.out")
  [[ -z $address ]] || break
  kill -0 "$server" 2>/dev/null || { tail -n 5 "$out/antiphond.log" >&2; fail "antiphond ended before it listened"; }
  sleep 0.1
done
[[ -n $address ]] || fail "antiphond does not listen after 60 s; see $out/antiphond.log"
echo "listening on $address"

say "4/4 spoken questions, in real time"
wrong=0
for ((n = 1; n <= ${#questions[@]}; ++n)); do
  IFS='|' read -r voice question expected shown drawn function <<<"${questions[n - 1]}"
  espeak-ng -v "$voice" -s 150 -w "$out/question$n.wav" "$question"
  extras=()
  if [[ -n $shown ]]; then
    # shellcheck disable=SC2086  # background and thing are two words
    /usr/bin/python3 scripts/draw_picture.py "$out/question$n.png" $shown
    extras+=(--image "$out/question$n.png")
  fi
  [[ -z $drawn ]] || extras+=(--out-image "$out/answer$n.png")
  [[ -z $function ]] || extras+=(--function "$function")
  "$bin/antiphon" ask --server "$address" ${extras[@]+"${extras[@]}"} --audio "$out/question$n.wav" \
    --out-audio "$out/answer$n.wav" --json >"$out/turn$n.json" \
    || { cat "$out/turn$n.json" >&2; fail "the question was not answered"; }
  /usr/bin/python3 scripts/show_turn.py "$out/turn$n.json" "$out/answer$n.wav" "$question" "$expected" || wrong=$((wrong + 1))
  if [[ -n $drawn ]]; then
    seen=$(/usr/bin/python3 scripts/draw_picture.py --name "$out/answer$n.png" "${drawn%% *}") || seen="nothing"
    echo "picture  $out/answer$n.png looks most like: $seen"
    [[ $seen == "${drawn#* }" ]] || wrong=$((wrong + 1))
    echo
  fi
done

kill -TERM "$server"
wait "$server" || fail "antiphond did not stop cleanly"
server=
((wrong == 0)) || fail "$wrong of ${#questions[@]} answers are wrong"
printf '\nDEMO PASSED: %d spoken questions, %d right answers, all audible; listen to %s\n' "${#questions[@]}" "${#questions[@]}" \
  "$out/answer1.wav"
