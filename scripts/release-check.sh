#!/usr/bin/env bash
# Builds the release of the last commit twice, in two folders with different umasks, compares
# the bytes, and leaves one of the two in dist. scripts/package-check.sh tries what is there.
# Usage: ARCHES=amd64 release-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build UMASK FOLDER: what it says is shown if it fails.
build() {
    git clone -q . "$2"
    (umask "$1" && "$2/scripts/release.sh" >"$work/log" 2>&1) || { cat "$work/log" >&2; return 1; }
}
build 022 "$work/one"
build 077 "$work/another/longer"
diff -r "$work/one/dist" "$work/another/longer/dist"
rm -rf dist
cp -r "$work/one/dist" dist
cat dist/SHA256SUMS
echo "both builds have the same bytes"
