#!/usr/bin/env bash
# Tries the packages of a release on this machine, with its dpkg: what is in the .deb and the
# .rpm, the unit, install, a broadcast as the package's user, upgrade, remove, purge. Installs,
# upgrades and removes the .rpm with Debian's rpm. Then runs the image's root folder. Wants a release of this machine's architecture, root, Debian, rpm,
# curl and systemd-analyze, and no installation of the program. What it installs and makes is
# gone at its end.
# Usage: package-check.sh [FOLDER], which is dist if not given.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath "${1:-dist}")
arch=$(dpkg --print-architecture)
name=wechat-broadcast
config=/etc/$name data=/var/lib/$name
fail() { echo "package-check: $*" >&2; exit 1; }

[[ $EUID == 0 ]] || fail "it installs a package, and needs root"
if dpkg -s $name >/dev/null 2>&1 || [[ -e $config || -e $data ]] || getent passwd $name >/dev/null; then
    fail "$name is or was installed on this machine, and its settings or data might be lost"
fi
deb=$(echo "$dist"/*"_$arch.deb")
rpm=$(echo "$dist"/*."$([[ $arch == arm64 ]] && echo aarch64 || echo x86_64).rpm")
image=$(echo "$dist"/*"_${arch}_image.tar")
for file in "$deb" "$rpm" "$image"; do
    [[ -f $file ]] || fail "there is no $file"
done

work=$(mktemp -d)
pids=()
# stop PID...: ends them, and waits until they have ended.
stop() {
    for pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
finish() {
    local code=$?
    stop "${pids[@]}"
    [[ $code == 0 ]] || rm -f "$work/security.log"
    [[ $code == 0 ]] || tail -n 20 "$work"/*.log >&2 2>/dev/null || true
    dpkg --purge $name >/dev/null 2>&1 || true
    [[ ! -e $work/rpm ]] || rpm --dbpath "$work/rpm" --nodeps -e $name >/dev/null 2>&1 || true
    rm -rf "$work" $config $data
    userdel $name 2>/dev/null || true
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# same WHAT WANTED GOT
same() { [[ $2 == "$3" ]] || fail "$1: want"$'\n'"$2"$'\n'"got"$'\n'"$3"; }

echo "what is in the packages"
files="/etc/$name drwxr-s--- root/$name
/usr/bin/$name -rwxr-xr-x root/root
/usr/lib/systemd/system/$name.service -rw-r--r-- root/root
/usr/share/doc/$name/README.md -rw-r--r-- root/root
/usr/share/doc/$name/README.zh-CN.md -rw-r--r-- root/root
/usr/share/doc/$name/copyright -rw-r--r-- root/root
/usr/share/$name/config.example.yaml -rw-r--r-- root/root
/usr/share/$name/dashboard.json -rw-r--r-- root/root
/usr/share/$name/messages.example.yaml -rw-r--r-- root/root
/usr/share/$name/rules.yaml -rw-r--r-- root/root"
same ".deb" "$files" "$(dpkg-deb -c "$deb" | awk -v "config=.$config/" '$6 == config || !/^d/ { sub(/^\./, "", $6); sub(/\/$/, "", $6); print $6, $1, $2 }' | LC_ALL=C sort)"
same ".rpm" "$files" "$(rpm -qp --nosignature --qf '[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME}\n]' "$rpm" | LC_ALL=C sort)"
version=$(dpkg-deb -f "$deb" Version)
same "version of the .rpm" "$version" "$(rpm -qp --nosignature --qf '%{VERSION}-%{RELEASE}' "$rpm")"

echo "install $version"
dpkg -i "$deb" >"$work/install.log" 2>&1 || fail "dpkg -i"
grep -q "install -m 640" "$work/install.log" || fail "the package does not say how to begin"
same "folders" "$config 2750 root:$name
$data 750 $name:$name" "$(stat -c '%n %a %U:%G' $config $data)"

echo "the unit"
systemd-analyze verify $name.service
# 10 is the worst. A daemon that serves HTTP can't do without addresses.
systemd-analyze security --offline=true --threshold=12 $name.service >"$work/security.log" || { cat "$work/security.log"; fail "the unit is too open"; }
tail -n 1 "$work/security.log"

admin=oPackageCheckAdmin0000000001
port() {
    local port
    while port=$((20000 + RANDOM % 20000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}
platform=http://127.0.0.1:$(port)
server=http://127.0.0.1:$(port)

# until_true COMMAND...: until it succeeds, for half a minute.
until_true() {
    for ((i = 0; i < 150; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    fail "in vain: $*"
}
# as_user COMMAND...: the program as the unit runs it. Its shell becomes the program, so that
# a signal reaches it.
as_user() {
    cd $data
    exec setpriv --reuid $name --regid $name --clear-groups --no-new-privs /usr/bin/$name --config $config/config.yaml "$@"
}
serve() {
    (as_user serve) >>"$work/server.log" 2>&1 &
    running=$!
    pids+=("$running")
    until_true curl -sf "$server/readyz"
}
received() {
    local stats
    stats=$(curl -sf "$platform/_sim/stats")
    [[ $stats =~ \"reached\":\ *$1[^0-9] && $stats =~ \"twice\":\ *0[^0-9] ]]
}
# kept: the settings and all data, as one checksum.
kept() { find $config $data -type f -exec sha256sum {} + -exec stat -c '%n %a %U:%G' {} + | sort | sha256sum; }

echo "a broadcast as the package's user"
install -m 640 -g $name /usr/share/$name/config.example.yaml $config/config.yaml
sed -i -E -e 's/^wechat_app_id:.*/wechat_app_id: wxd0a1b2c3d4e5f607/' \
    -e 's/^wechat_app_secret:.*/wechat_app_secret: 0123456789abcdef0123456789abcdef/' \
    -e 's/^wechat_token:.*/wechat_token: simulator/' -e "s/oReplaceWithYourOwnOpenID000/$admin/" $config/config.yaml
cat >>$config/config.yaml <<END
wechat_api_base_url: $platform
listen_addr: ${server#http://}
messages_file: $config/messages.yaml
undo_window: 0s
language: en
END
install -m 640 -g $name /usr/share/$name/messages.example.yaml $config/messages.yaml
/usr/bin/$name simulator --addr "${platform#http://}" --followers 30 --admin $admin --callback "$server/wechat" >"$work/simulator.log" 2>&1 &
pids+=($!)
serve
(as_user sync) >"$work/sync.log" 2>&1 || fail "sync"
curl -sf -d "{\"openid\":\"$admin\",\"text\":\"broadcast all\"}" "$platform/_sim/say" >"$work/say.log"
until_true received 30
same "owner of the database" "600 $name:$name" "$(stat -c '%a %U:%G' $data/data/broadcast.db)"

echo "upgrade"
dpkg-deb -R "$deb" "$work/next"
sed -i "s/^Version: .*/Version: $version.1/" "$work/next/DEBIAN/control"
dpkg-deb -Znone -b "$work/next" "$work/next.deb" >/dev/null
dpkg -i "$work/next.deb" >"$work/upgrade.log" 2>&1 || fail "dpkg -i of the next version"
grep -q "install -m 640" "$work/upgrade.log" && fail "an upgrade asks for settings that are there"
curl -sf "$server/healthz" >/dev/null || fail "the upgrade ended a process that systemd does not run"
same "installed version" "$version.1" "$(dpkg-query -W -f '${Version}' $name)"
stop "$running"
serve # on what the first version wrote
(as_user export audit) | grep -q broadcast || fail "the next version does not know what the first did"
stop "$running"
before=$(kept)
dpkg -i "$work/next.deb" >/dev/null 2>&1
same "settings and data after an upgrade" "$before" "$(kept)"

echo "remove, install again, purge"
dpkg -r $name >"$work/remove.log" 2>&1 || fail "dpkg -r"
[[ ! -e /usr/bin/$name ]] || fail "the program is there after it was removed"
same "settings and data after a removal" "$before" "$(kept)"
dpkg -i "$deb" >"$work/again.log" 2>&1
same "settings and data after a second install" "$before" "$(kept)"
database=$(sha256sum $data/data/broadcast.db)
dpkg -P $name >"$work/purge.log" 2>&1 || fail "dpkg -P"
[[ ! -e $config ]] || fail "the settings are there after a purge"
grep -q "$data stays" "$work/purge.log" || fail "purge does not say that the data stay"
same "database after a purge" "$database" "$(sha256sum $data/data/broadcast.db)"
same "its owner" "$name:$name" "$(stat -c %U:%G $data/data/broadcast.db)"
rm -rf $data
dpkg -i "$deb" >/dev/null 2>&1
dpkg -P $name >"$work/purge.log" 2>&1
[[ ! -e $data ]] || fail "purge leaves an empty data folder"
getent passwd $name >/dev/null && fail "purge leaves the user of an installation without data"

echo "the .rpm: install, upgrade, remove" # by Debian's rpm, which has no database of its own
by_rpm() { rpm --dbpath "$work/rpm" --nosignature --nodeps "$@"; }
by_rpm -i "$rpm" >"$work/rpm-install.log" 2>&1 || fail "rpm -i"
grep -q "install -m 640" "$work/rpm-install.log" || fail "the .rpm does not say how to begin"
same "folders of the .rpm" "$config 2750 root:$name
$data 750 $name:$name" "$(stat -c '%n %a %U:%G' $config $data)"
by_rpm -V $name || fail "what is installed is not what the .rpm says"
(as_user version) | grep -q "^$name " || fail "the program of the .rpm does not run as its user"
install -m 640 -g $name /usr/share/$name/config.example.yaml $config/config.yaml
echo "what was sent" >$data/kept
before=$(kept)
by_rpm -U --force "$rpm" >"$work/rpm-upgrade.log" 2>&1 || fail "rpm -U"
grep -q "install -m 640" "$work/rpm-upgrade.log" && fail "an upgrade of the .rpm asks for settings that are there"
by_rpm -e $name >"$work/rpm-remove.log" 2>&1 || fail "rpm -e"
[[ ! -e /usr/bin/$name ]] || fail "the program is there after the .rpm was removed"
same "settings and data after the .rpm" "$before" "$(kept)"
rm -rf $config $data

echo "the image, from its root folder"
mkdir "$work/image" "$work/tree"
tar -xf "$image" -C "$work/image"
grep -oE '"Layers":\[[^]]*' "$work/image/manifest.json" | grep -oE 'blobs/[^"]*' | while read -r layer; do
    tar -xf "$work/image/$layer" -C "$work/tree"
done
same "files of the image" "/home/nonroot/data/.keep
/tmp/.keep
/usr/local/bin/$name" "$(cd "$work/tree" && find . -type f -printf '/%P\n' | LC_ALL=C sort)"
# run_image COMMAND...: with nothing but that folder, as the image's user.
run_image() {
    env -i LANG=en_US.UTF-8 HOME=/home/nonroot "$(command -v chroot)" --userspec=65532:65532 "$work/tree" /usr/local/bin/$name "$@"
}
run_image version
printf 'openid\nbroadcast test\nbroadcast all\n' | run_image demo >"$work/demo.log" 2>&1 || fail "the demo"
grep -q "finished" "$work/demo.log" || fail "the demo sent nothing"
[[ $(stat -c %u "$work"/tree/*/nonroot/data) == 65532 ]] || fail "the folder of the image's data is not its user's"

echo "the packages and the image of $version work (after $SECONDS s)"
