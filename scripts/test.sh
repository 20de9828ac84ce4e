#!/usr/bin/env bash
# Builds everything and runs every test. PRESET=asan scripts/test.sh runs them in another build (release, dev, asan,
# tsan; CMakePresets.json). Arguments go to ctest: scripts/test.sh -R media
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${PRESET:-release}
began=$SECONDS
step="setting up"
trap 'status=$?; ((status == 0)) || echo "TESTS FAILED while $step (preset $preset, $((SECONDS - began)) s)" >&2' EXIT

scripts/setup.sh
step="configuring"
echo "test: configuring build/$preset"
cmake --preset "$preset" --log-level=WARNING
step="building"
echo "test: building (minutes when nothing is built yet)"
cmake --build --preset "$preset" -- -j "$(nproc)"
step="testing"
ctest --preset "$preset" "$@"
echo "ALL TESTS PASSED (preset $preset, $((SECONDS - began)) s)"
