#!/bin/bash
# Runs the targets of Tests/FuzzTests under libFuzzer and AddressSanitizer, and fails if one finds something.
#
#   Scripts/fuzz.sh SECONDS [TARGET]...     all targets unless some are named; SECONDS=0 only builds
#
# What was found is in .build-fuzz/findings, the inputs that reach new code in .build-fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
place=.build-fuzz
program=$place/debug/Fuzz

# gold cannot link what Swift writes for the coverage; lld can.
FUZZ=1 swift build --scratch-path "$place" --product Fuzz --sanitize fuzzer --sanitize address \
    -Xswiftc -use-ld=lld -Xswiftc -sanitize-coverage=edge,trace-cmp,indirect-calls,inline-8bit-counters,pc-table
if [ "$seconds" = 0 ]; then exit 0; fi

targets=("$@")
if [ ${#targets[@]} = 0 ]; then mapfile -t targets < <(FUZZ_TARGET=list "$program"); fi

# Swift's own report of a trap takes minutes under the sanitizer, and so does the sanitizer's with names.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=symbolize=0:detect_leaks=0
mkdir -p "$place/findings"
failed=()
for target in "${targets[@]}"; do
    corpus=$place/corpus/$target
    mkdir -p "$corpus"
    FUZZ_TARGET=$target FUZZ_SEEDS=$corpus "$program"
    log=$place/$target.log
    if ! FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -max_len=8192 -timeout=60 -rss_limit_mb=2048 \
        -artifact_prefix="$place/findings/$target-" -print_final_stats=1 "$corpus" >"$log" 2>&1; then
        failed+=("$target")
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 || true)
    printf '%-22s %10s runs, %s edges\n' "$target" "${runs:-?}" "${edges#cov: }"
done
if [ ${#failed[@]} != 0 ]; then
    echo "fuzz: findings in: ${failed[*]} ($place/findings)" >&2
    exit 1
fi
