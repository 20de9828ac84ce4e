#!/usr/bin/env bash
# Compares antiphon-bench with llama.cpp on a model of the same shape and about the same bytes, with random weights: prefill
# of 256 positions, and decoding of one sequence behind 64. Installs llama.cpp's prebuilt libraries through npm
# (node-llama-cpp) into build/peers/llama, and nothing elsewhere. Needs node 20 or newer, npm and a release build.
#
#   bench/peers/llama.sh [--shape b0.4] [--weights int8,bf16] [--runs 5] [--threads N] [--json FILE]
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in node npm; do
  command -v "$program" >/dev/null || { echo "llama.sh: $program is not installed" >&2; exit 1; }
done
bench="${ANTIPHON_BENCH:-build/release/bin/antiphon-bench}"
[[ -x "$bench" ]] || { echo "llama.sh: $bench is not there: build the release preset first" >&2; exit 1; }

folder="${ANTIPHON_PEER:-build/peers/llama}"
if [[ ! -d "$folder/node_modules/node-llama-cpp" ]]; then
  mkdir -p "$folder"
  # The package of this processor only, without those for graphics cards; and no install scripts, which would build from
  # source what the package holds.
  case "$(uname -m)" in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) echo "llama.sh: no prebuilt llama.cpp for $(uname -m)" >&2; exit 1 ;;
  esac
  npm install --prefix "$folder" --omit=optional --ignore-scripts --no-audit --no-fund \
    node-llama-cpp@3 "@node-llama-cpp/$platform@3"
fi
exec node bench/peers/compare.mjs --bench "$bench" --folder "$folder" "$@"
