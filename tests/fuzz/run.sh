#!/usr/bin/env bash
# run.sh FUZZER WORK SEEDS MAX_LEN: fuzzes for HEARTH_FUZZ_SECONDS (60). Found inputs gather in
# WORK/corpus and serve the next run; what breaks a promise lies in WORK/broken and is tried again
# first, by each run until it passes.
set -euo pipefail
fuzzer=$1 work=$2 seeds=$3 max_len=$4

# CI may run out of time before all are built: skipped, not failed (SKIP_RETURN_CODE).
if [ ! -x "$fuzzer" ]; then echo "$fuzzer is not built"; exit 77; fi
mkdir -p "$work/corpus" "$work/broken"
# Fuzzers that use files make thousands a second: in memory where that is possible.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
tell() {  # tell INPUT: what to do about it
  echo
  echo "The input that did it: $1"
  echo "Again:      $fuzzer $1"
  echo "Smaller:    $fuzzer -minimize_crash=1 -runs=100000 $1"
  echo "When it is mended, keep it as $seeds/regression-WHAT."
}

# What is reserved may be more than what is used: libarchive takes a dictionary's size from a zip.
limits=(-timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=8192)

# libFuzzer's own limit (-timeout) is kept by a signal, which an endless loop may hold up.
again=$(mktemp -d)  # what a replay would write into broken/ is there already
trap 'rm -rf "$again"' EXIT
for input in "$work"/broken/*; do
  [ -f "$input" ] || continue
  if timeout --kill-after=5 20 "$fuzzer" "${limits[@]}" -artifact_prefix="$again/" "$input"; then
    rm "$input"
  else
    echo "A finding of an earlier run is still one."
    tell "$input"
    exit 1
  fi
done

# Words of the format get a fuzzer past the first bytes; formats of bytes have none.
words=()
dictionary="$(dirname "$0")/dictionary/$(basename "$work")"
if [ -f "$dictionary" ]; then words=("-dict=$dictionary"); fi

status=0
"$fuzzer" "${words[@]}" "${limits[@]}" -max_total_time="${HEARTH_FUZZ_SECONDS:-60}" \
  -max_len="$max_len" -print_final_stats=1 -artifact_prefix="$work/broken/" \
  "$work/corpus" "$seeds" || status=$?
# libFuzzer ends with 77 when it has found something: that must not be taken for "skipped".
if [ "$status" -eq 77 ]; then status=1; fi
if [ "$status" -ne 0 ]; then
  tell "$(find "$work/broken" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)"
fi
exit "$status"
