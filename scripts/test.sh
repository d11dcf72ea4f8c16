#!/usr/bin/env bash
# Runs the tests: one line for each package, the whole output of each test that
# fails, and at the end what was skipped and why. Arguments go to go test; without
# any, the packages come first that soon show whether the main things work.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is sent and what is stored, whom it goes to, what the platform's answers mean, and
# what the chat understands: over within a minute once they are compiled.
quick=(./config ./services/delivery ./services/audience ./services/planning ./services/canary ./services/message
    ./services/messages ./services/lists ./services/wechat/... ./services/followers ./handlers/chat ./lang)

# Each program that is watched for races waits a second at its end by default.
export GORACE=${GORACE:-atexit_sleep_ms=50}

# SQLite is C made into Go: watched by the race detector it takes ten times as long, and
# the races that are looked for are in the program's own code. make check does the vetting.
tests() {
    go test -vet=off -race -gcflags=modernc.org/...=-race=false -shuffle=on -count=1 -timeout 20m -v "$@" 2>&1
}

everything() {
    local code=0 rest
    tests "${quick[@]}" || code=$?
    echo "=== TIER the main things, in $SECONDS s"
    rest=$(comm -13 <(go list "${quick[@]}" | sort) <(go list ./... | sort))
    # The two that take longest come first, and run side by side.
    # shellcheck disable=SC2086 # one word each
    tests ./services/broadcast ./e2e $rest || code=$?
    return "$code"
}

run=tests
(($# > 0)) || run=everything
"$run" "$@" | awk '
    /^=== TIER / {
        printf "%d passed, %d failed, %d skipped: %s. The rest follows.\n", count["PASS:"], count["FAIL:"], count["SKIP:"], substr($0, 10)
        fflush()
        next
    }

    # Tests run side by side: these lines say whose output follows.
    /^=== (RUN|NAME|CONT|PAUSE) / { test = $3; next }

    /^ *--- (PASS|FAIL|SKIP): / {
        test = $3
        count[$2]++
        if ($2 == "FAIL:") printf "%s\n%s", $0, output[test]
        if ($2 == "SKIP:") {
            sub(/^[^ ]*\.go:[0-9]+: /, "", last[test])
            names[last[test]] = names[last[test]] "\n    " test
        }
        delete output[test]
        next
    }

    /^-test\.shuffle / { seed = $2; next }
    /^PASS$/ || /^FAIL$/ { next }
    # A package is done. After a crash its tests have no verdict of their own.
    /^(ok|FAIL|\?) *\t/ {
        if ($1 == "FAIL") {
            for (t in output) printf "%s", output[t]
            if (seed) print "shuffled with -shuffle=" seed
        }
        print
        fflush()
        split("", output); split("", last); seed = test = ""
        next
    }

    test == "" { print; fflush(); next }
    { output[test] = output[test] $0 "\n"; sub(/^ */, ""); if ($0 != "") last[test] = $0 }

    END {
        printf "\n%d passed, %d failed, %d skipped (subtests counted)\n", count["PASS:"], count["FAIL:"], count["SKIP:"]
        for (reason in names) printf "\n  %s%s\n", reason, names[reason]
    }'
