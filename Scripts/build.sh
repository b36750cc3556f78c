#!/bin/bash
# swift build with the arguments given; fails if a file of ours, or the package description, gets a warning.
# --all first: also files that have not changed since the last build are compiled, so that no warning of theirs is missed.
# --release next: what users get.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --all ]; then
    shift
    find Sources Tests -name '*.swift' -exec touch {} +
fi

if [ "${1:-}" = --release ]; then
    shift
    set -- -c release --static-swift-stdlib --disable-local-rpath "$@"
    # Symbols that nobody could link to keep code alive, and relocations are most of what is left of them
    # (docs/decisions/0005 has what each of these saves).
    if [ "$(uname -s)" = Linux ]; then
        set -- "$@" -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic -Xlinker --icf=safe -Xlinker -z \
            -Xlinker pack-relative-relocs
    fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift build "$@" 2>&1 | tee "$log"

# Those of the dependencies are not ours to mend.
if warnings=$(grep -E "^($PWD/)?(Sources|Tests|Benchmarks)/.*: warning: |^warning: '?swift-scp" "$log" | sort -u); then
    printf 'build: warnings are errors here:\n%s\n' "$warnings" >&2
    exit 1
fi
