#!/usr/bin/env bash
# Builds what is handed out, for each architecture of ARCHES: an archive, a .deb, an .rpm, a
# container image, an SBOM, and the checksums of all. The same commit and Go give the same
# bytes. Needs git, buildah and GNU tar. Usage: release.sh [FOLDER], which is dist if not given.
#
# buildah makes the image of the Dockerfile that everybody else builds, and reaches no
# registry, since the image starts from scratch.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-dist}")
# Newer versions of nfpm need modules that not every module proxy has.
nfpm() { go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0 "$@"; }
sbom() { go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 "$@"; }

for tool in git buildah tar; do
    command -v "$tool" >/dev/null || { echo "a release needs $tool, which is not installed" >&2; exit 1; }
done
commit=$(git rev-parse HEAD)
version=$(git describe --tags --always)
if [[ -n $(git status --porcelain) ]]; then
    echo "what is not committed goes into this release: it is for trials alone" >&2
    version+=-dirty
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
MTIME=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# The version of the packages, in the order of time: 1.2.3 is before 1.2.3+5.gabc (five
# commits later), and 1.2.3~rc.1 is before it. Without a tag, 0.0.0 and the time of the commit.
if [[ $version =~ ^v[0-9] ]]; then
    PACKAGE_VERSION=$(sed -E 's/^v//; s/-([0-9]+)-(g[0-9a-f]+)/+\1.\2/; s/-dirty$/+dirty/; s/-/~/g' <<<"$version")
else
    PACKAGE_VERSION=0.0.0+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).${version//-/.}
fi
export PACKAGE_VERSION

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"

# stored FILE FOLDER [ARGUMENT...]: FOLDER as a tar with nothing of this machine or moment.
stored() {
    local file=$1 folder=$2
    shift 2
    tar --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -C "$folder" "$@" -cf "$file" .
}

# image ARCH FOLDER: an archive for `docker load`, podman and containerd. It is an OCI layout,
# and has the manifest.json that versions of Docker before 25 ask for.
image() {
    local arch=$1 folder=$2 layout=$work/image-$1 tag=wechat-broadcast:${PACKAGE_VERSION//[+~]/-}
    local store=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
    buildah "${store[@]}" build --quiet --platform "linux/$arch" --timestamp "$SOURCE_DATE_EPOCH" \
        --tag "$tag" "$folder" >/dev/null ||
        buildah "${store[@]}" build --platform "linux/$arch" --timestamp "$SOURCE_DATE_EPOCH" --tag "$tag" "$folder"
    buildah "${store[@]}" push --quiet "$tag" "oci:$layout:$tag"
    local manifest digests
    manifest=$(sed -E 's/.*"digest":"sha256:([0-9a-f]+)".*/\1/' "$layout/index.json")
    mapfile -t digests < <(grep -oE '"digest":"sha256:[0-9a-f]+"' "$layout/blobs/sha256/$manifest" | grep -oE '[0-9a-f]{64}')
    local layers
    layers=$(printf '"blobs/sha256/%s",' "${digests[@]:1}")
    printf '[{"Config":"blobs/sha256/%s","RepoTags":["%s"],"Layers":[%s]}]\n' \
        "${digests[0]}" "$tag" "${layers%,}" >"$layout/manifest.json"
    stored "$out/wechat-broadcast_${PACKAGE_VERSION}_linux_${arch}_image.tar" "$layout"
}

for arch in ${ARCHES:-amd64 arm64}; do
    echo "building $PACKAGE_VERSION for $arch"
    name=wechat-broadcast_${PACKAGE_VERSION}_linux_$arch
    folder=$work/$arch/$name
    mkdir -p "$folder/bin"
    CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOFLAGS=-buildvcs=false GOAMD64=v1 GOARM64=v8.0 \
        go build -trimpath -ldflags "-s -w -X main.version=$version -X main.commit=$commit" \
        -o "$folder/bin/wechat-broadcast" .
    # The archive holds what the Dockerfile and compose.yaml need, in the same places.
    cp -r --parents LICENSE README.md README.zh-CN.md Dockerfile .dockerignore compose.yaml compose.override.yaml deploy \
        config/config.example.yaml config/messages.example.yaml "$folder"
    find "$folder" -type d -exec chmod 755 {} + -o -type f -perm -u+x -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
    stored "$work/$arch.tar" "$work/$arch"
    gzip -n -9 <"$work/$arch.tar" >"$out/$name.tar.gz"
    for kind in deb rpm; do
        ARCH=$arch BINARY=$folder/bin/wechat-broadcast nfpm package --config deploy/package/nfpm.yaml --packager "$kind" --target "$out"
    done
    sbom bin -json -noserial -std -version "$version" -output "$work/sbom.json" "$folder/bin/wechat-broadcast"
    sed -E "s/(\"timestamp\": )\"[^\"]*\"/\1\"$MTIME\"/" "$work/sbom.json" >"$out/$name.cdx.json"
    image "$arch" "$folder"
done
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
chmod 644 "$out"/*
ls -l "$out"
