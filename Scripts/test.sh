#!/bin/bash
# Runs the built tests; what failed is said again at the end.
#
#   Scripts/test.sh [OPTION]...     options of swift test
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Only some tests at a time: many start servers, and a test that waits for its turn must not run out of its time.
swift test --skip-build --experimental-maximum-parallelization-width 8 "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
if [ "$status" != 0 ]; then
    echo "--- failed:"
    grep -E '^✘|error:|Fatal|crash' "$log" | cut -c1-400 | tail -n 60
fi
exit "$status"
