#!/usr/bin/env bash
# Goes live as README.md says, from a clean clone, against the bundled simulator: it runs the
# first shell block, with the demo, and those of the steps under "Going live" as they stand
# there, and adds only what is
# different without a real account: the simulator's address, and what a person types and
# writes to the account. It prints how long each step takes.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pids=()
finish() {
    local pid child
    for pid in "${pids[@]}"; do
        # What runs a block of the README is a shell, and the server its child.
        for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do kill "$child" 2>/dev/null || true; done
        kill "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$work"
}
trap finish EXIT

begin=${EPOCHREALTIME/./}
last=$begin
step() { # names what was just done
    local now=${EPOCHREALTIME/./}
    printf '%7.1f s  %s\n' "$(((now - last) / 100000))e-1" "$1"
    last=$now
}
fail() { echo "newcomer: $1" >&2; tail -n 40 "$work"/*.log >&2 || true; exit 1; }

# Steps 1 to 5 have one shell block each, but step 4.
readme=$root/README.md
block() { # prints the shell block of a step
    awk -v step="$1" '
        /^## / { inside = /^## Going live/ }
        inside && /^[0-9]+\. / { n = $1 + 0 }
        inside && n == step && /^   ```$/ { shell = 0 }
        inside && n == step && shell { sub(/^   /, ""); print }
        inside && n == step && /^   ```sh$/ { shell = 1 }
    ' "$readme"
}
for n in 1 2 3 5; do [[ -n $(block $n) ]] || fail "README.md: step $n has no commands"; done

first=$(awk '/^## / { exit } /^```$/ { shell = 0 } shell { print } /^```sh$/ { shell = 1 }' "$readme")
[[ $first == *"go run . demo"* ]] || fail "README.md: no demo above the first heading"
cd "$work"
export REPOSITORY=$root LANGUAGE=en
eval "$first" >"$work/demo.log" 2>&1 <<END || fail "the demo"
openid
broadcast test
broadcast all
END
[[ $PWD == "$work/wechat-broadcast" ]] || fail "README.md does not enter the clone"
grep -q 'it reached 980 phones, each exactly once' "$work/demo.log" || fail "the demo reached others"
step "0. git clone, and the demo"

eval "$(block 1)" >"$work/build.log" 2>&1 || fail "step 1"
step "1. build it"

# A simulated account in place of a real one.
admin=oNewcomer-0000000000000000-A
platform=127.0.0.1:${NEWCOMER_PORT:-29000}
wechat-broadcast simulator --addr "$platform" --followers 100 --admin "$admin" \
    --token theToken --callback http://127.0.0.1:${NEWCOMER_LISTEN:-28080}/wechat >"$work/simulator.log" 2>&1 &
pids+=($!)
export WECHAT_API_BASE_URL=http://$platform LISTEN_ADDR=127.0.0.1:${NEWCOMER_LISTEN:-28080}
ask() { # METHOD PATH [JSON]: asks the simulator's own API, over bash's /dev/tcp
    exec 3<>"/dev/tcp/${platform/://}" || return 1
    printf '%s %s HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "$(printf %s "${3:-}" | wc -c)" "${3:-}" >&3
    cat <&3
    exec 3>&-
}
until_done() { # runs a command until it succeeds, for 30 s at most
    local tries=0
    until "$@" >/dev/null 2>&1; do
        ((++tries < 150)) || return 1
        sleep 0.2
    done
}
until_done ask GET /_sim/stats || fail "the simulator does not start"
step "   (the simulator in place of WeChat)"

# What is typed: AppID, AppSecret, token, no key, SQLite, the admin, no public URL, the first
# template, and no first message yet.
commands=$(block 2)
eval "${commands/wechat-broadcast init/wechat-broadcast init --api-base-url http://$platform}" >"$work/init.log" 2>&1 <<END || fail "step 2"
wxd0a1b2c3d4e5f607
0123456789abcdef0123456789abcdef
theToken
none

$admin

1
n
END
step "2. set it up"

eval "$(block 3)" >"$work/serve.log" 2>&1 &
pids+=($!)
until_done wechat-broadcast healthcheck || fail "step 3"
step "3. start it"

verify() { ask POST /_sim/verify | grep -q '"ok":true'; }
until_done verify || fail "step 4"
step "4. the callback, verified by the platform"

eval "$(block 5)" >"$work/check.log" 2>&1 || fail "step 5"
step "5. check it"

say() { ask POST /_sim/say "{\"openid\":\"$admin\",\"text\":\"$1\"}" >>"$work/chat.log"; }
say sync
say "broadcast me"
received() { ask GET "/_sim/ledger?openid=$admin" | grep -q '"msgid"'; }
until_done received || fail "nothing arrived"
step "8. broadcast me: on the phone"
last=$begin
step "in all"
