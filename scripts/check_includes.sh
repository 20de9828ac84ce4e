#!/usr/bin/env bash
# Fails when an include points up the house (the order below), or a library from outside is used by a folder that may
# not know it. The build already refuses folders that are not linked; this also covers what the system installs
# where every compiler looks.
set -euo pipefail
cd "$(dirname "$0")/.."

layers=(common media kernels model engine conversation server client bench)
fail=0

report() {  # report <what is wrong> <grep arguments...>
  local what=$1
  shift
  if hits=$(grep -rnE --include='*.h' --include='*.cc' "$@"); then
    printf '%s\n%s\n' "$what:" "$hits" >&2
    fail=1
  fi
}

# Folders of src/ other than the given ones.
others() {
  local folder
  for folder in "${layers[@]}"; do
    [[ " $* " == *" $folder "* || ! -d src/$folder ]] || echo "src/$folder"
  done
}

for i in "${!layers[@]}"; do
  from=${layers[$i]}
  [[ -d src/$from ]] || continue
  for to in "${layers[@]:$((i + 1))}"; do
    report "src/$from includes the higher $to" "^#include \"$to/" "src/$from"
  done
done
# The client stands beside the server, not on it: it must build without the model.
if [[ -d src/client ]]; then
  report "src/client may use common, media and proto only" \
    '^#include "(kernels|model|engine|conversation|server)/' src/client
fi

mapfile -t public < <([[ -d include ]] && echo include)
only() {  # only "<folders that may>" <what> <pattern>
  local folders
  # shellcheck disable=SC2086 # word splitting intended
  mapfile -t folders < <(others $1)
  report "$2 outside $1" "$3" "${folders[@]}" "${public[@]}"
}
only "kernels model engine bench" "libtorch" '^#include <(torch|ATen|c10|caffe2)/'
only "server client" "gRPC" '^#include <(grpc|grpcpp)/|^#include "antiphon/v1/'
only "media" "a media library" '^#include <(opus|soxr|sndfile|webrtc)[/.]'
only "common server" "prometheus-cpp" '^#include <prometheus/'
only "common" "spdlog" '^#include <spdlog/'

report "takes seconds to parse; include ATen/core/Tensor.h and the operators' own headers" '^#include <(torch/|ATen/ATen.h)' src tests
report "includes are rooted at src/" '^#include "(src/|\.\./)' src include tests

exit $fail
