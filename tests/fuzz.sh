#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
# Fuzz every reader of foreign bytes for some time each, under libFuzzer with the address and
# undefined behaviour sanitizers:
#   sh tests/fuzz.sh SECONDS [TARGET...]        TARGET: wal_reader for tests/fuzz/fuzz_wal_reader.c
# It needs what `sh tests/support/install.sh fuzz` installs. What crashes, leaks, or takes 10 seconds or
# 2 GB is copied into tests/fuzz/corpus/TARGET/found-..., which every run of the suite replays from
# then on: commit it with the repair. Builds and grown corpora stay in $SEAWALL_FUZZ
# (/tmp/seawall-fuzz-USER) for the next time. SEAWALL_FUZZ_JOBS targets run at once (all processors).
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)

seconds=${1:-}
case $seconds in
  '' | *[!0-9]*) echo 'usage: sh tests/fuzz.sh SECONDS [TARGET...]' >&2; exit 2 ;;
esac
shift
if [ $# -eq 0 ]; then
  for file in tests/fuzz/fuzz_*.c; do
    name=${file#tests/fuzz/fuzz_}
    set -- "$@" "${name%.c}"
  done
fi
for name in "$@"; do
  [ -f "tests/fuzz/fuzz_$name.c" ] || { echo "fuzz.sh: no target $name" >&2; exit 2; }
done

work=${SEAWALL_FUZZ:-/tmp/seawall-fuzz-$(id -un)}
build=$work/build
mkdir -p "$work"
[ -f "$build/build.ninja" ] ||
  CC=clang meson setup -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false "$build" \
    >"$work/setup.log" 2>&1 || { cat "$work/setup.log" >&2; exit 1; }
ninja -C "$build" $(printf 'tests/fuzz/fuzz_%s ' "$@") >"$work/build.log" 2>&1 ||
  { tail -n 40 "$work/build.log" >&2; exit 1; }

export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export seconds work build top

# libFuzzer writes new inputs into the first directory; those of the repository are only read
one='
  name=$1
  rm -rf "$work/found/$name"
  mkdir -p "$work/grown/$name" "$work/found/$name"
  code=0
  "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$work/found/$name/" "$work/grown/$name" \
    "$top/tests/fuzz/corpus/$name" >"$work/$name.log" 2>&1 </dev/null || code=$?
  runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "$work/$name.log")
  covered=$(sed -n "s/.* cov: \([0-9]*\) .*/\1/p" "$work/$name.log" | tail -n 1)
  echo "$name: ${runs:-?} inputs, ${covered:-?} edges, exit code $code"
  for found in "$work/found/$name"/*; do
    [ -f "$found" ] || continue
    kept=tests/fuzz/corpus/$name/found-$(sha256sum "$found" | cut -c 1-8)
    cp "$found" "$top/$kept"
    echo "$name: $kept"
    code=1
  done
  [ "$code" -eq 0 ] || { tail -n 40 "$work/$name.log"; exit 1; }
'
if printf '%s\n' "$@" | xargs -P "${SEAWALL_FUZZ_JOBS:-$(nproc)}" -n 1 sh -euc "$one" fuzz; then
  echo "$# targets, $seconds s each: nothing found"
else
  echo "$# targets, $seconds s each: see above; logs are in $work" >&2
  exit 1
fi
