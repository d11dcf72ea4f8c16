#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for FUZZTIME inputs each.
# A count, such as 100000x, rather than a duration: ended by a duration, Go before 1.27 now and then
# reports its own deadline as a finding (go.dev/issue/75804).
set -euo pipefail
cd "$(dirname "$0")/.."

time=${FUZZTIME:-100000x}
cache=$(go env GOCACHE)/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# By the text, which takes no compiling: each package is compiled once, below.
targets() { grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$@" | cut -d' ' -f2 | sort; }

count=0
while read -r folder; do
    package=$(go list "./$folder")
    go test -c -fuzz . -o "$work/test" "$package"
    for target in $(targets "$folder"/*_test.go); do
        echo "== $package $target"
        # What it finds is written to the folder's testdata, as go test does it.
        (cd "$folder" && "$work/test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$time" \
            -test.fuzzcachedir "$cache/$package")
        count=$((count + 1))
    done
done < <(grep -rlE --include='*_test.go' '^func Fuzz' ./*/ | xargs -n 1 dirname | sort -u)

if ((count == 0)); then
    echo "no fuzz target was found" >&2
    exit 1
fi
echo "$count fuzz targets, $time each: nothing found"
