#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for FUZZTIME each.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${FUZZTIME:-10s}
count=0
while read -r package targets; do
    for target in $targets; do
        echo "== $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
        count=$((count + 1))
    done
done < <(go test -list '^Fuzz' ./... | awk '
    /^Fuzz/ { targets = targets " " $1 }
    /^ok/   { if (targets) print $2 targets; targets = "" }')

if ((count == 0)); then
    echo "no fuzz target was found" >&2
    exit 1
fi
echo "$count fuzz targets, $time each: nothing found"
