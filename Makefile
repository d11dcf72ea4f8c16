# Everything needs Go alone; `make test` also a C compiler, for the race detector.

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

# The linter is fetched and built by the Go tool: nothing to install. It is no
# dependency of the module.
GOLANGCI ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## try it: a simulated platform, 1,000 followers and a chat
	go run . demo

.PHONY: build
build: ## build bin/wechat-broadcast, one static file
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)" -o bin/wechat-broadcast .

##@ Release

.PHONY: release
release: ## build dist/: archives, .deb, .rpm, images, SBOMs and checksums (ARCHES="amd64 arm64"); needs buildah
	@scripts/release.sh

.PHONY: release-check
release-check: ## build the last commit's release twice and compare the bytes
	@scripts/release-check.sh

##@ Develop

.PHONY: test
test: ## run every test with the race detector: first, within a minute once compiled, those of what is sent to whom and of the chat; at the end what was skipped (TEST_ARGS="-run X ./models/")
	@scripts/test.sh $(TEST_ARGS)

CHROMIUM ?= $(or $(TEST_BROWSER),$(shell command -v chromium || command -v google-chrome))

.PHONY: test-browser
test-browser: ## try the pages in a real Chromium (CHROMIUM=/path/to/it)
	TEST_BROWSER=$(CHROMIUM) scripts/test.sh -run Browser . ./handlers/

.PHONY: screenshots
screenshots: ## take the pictures of the pages again; needs a Chromium and Chinese fonts
	TEST_BROWSER=$(CHROMIUM) SCREENSHOTS=$(CURDIR)/docs/images go test -count=1 -p 1 -run Screenshots . ./handlers/

.PHONY: check
check: tidy vet lint ## everything that needs no test: go.mod, vet, format, lint

.PHONY: newcomer
newcomer: ## go live as the README says, from a clean clone to the first message, against the simulator, with the time for each step
	@scripts/newcomer.sh

.PHONY: lint
lint: ## check the format and run the linters of .golangci.yml
	$(GOLANGCI) fmt --diff
	$(GOLANGCI) run

.PHONY: fmt
fmt: ## format the code
	$(GOLANGCI) fmt

.PHONY: fuzz
fuzz: ## run each fuzz target on FUZZTIME (100000x) inputs
	@scripts/fuzz.sh

.PHONY: crash
crash: ## kill the program KILLS (200) times in mid-broadcast and count who is lost or reached twice, two minutes; MariaDB too if TEST_MYSQL_URL is set
	go test -C e2e -count=1 -timeout 20m -run '^(TestCrash|TestMendingUnderKills|TestCanaryUnderKills|TestAudiencesUnderChanges|TestReceiptFlood)$$' -kills $(or $(KILLS),200) -rounds $(or $(ROUNDS),20)

.PHONY: cluster
cluster: ## three replicas on one MySQL and Redis, killed, flushed and paced, at full size, 10 minutes; wants TEST_MYSQL_URL and TEST_REDIS_URL
	E2E_FULL=1 go test -C e2e -count=1 -timeout 40m -v -run '^(TestReplicas|TestStandbyTakesOver)' | \
		awk '/\| / { sub(/^.*_test.go:[0-9]+: /, ""); print } / \|$$/ { next } /^ *--- |^ok|^FAIL|_test.go:/ { print } { fflush() }'

.PHONY: bench
bench: ## measure what a broadcast costs, over TLS and HTTP, in half an hour (QUICK=1: five); MariaDB too if TEST_MYSQL_URL is set
	go run ./bench $(if $(QUICK),-quick) -json bench/results.json

.PHONY: vet tidy
vet:
	go vet ./...
tidy:
	go mod tidy -diff
	go mod verify

.PHONY: scale
scale: ## measure 10,000,000 FOLLOWERS, killed twice in the broadcast, in an hour (QUICK=1: 100,000, two minutes); MariaDB too if TEST_MYSQL_URL is set
	go run ./bench -scale $(if $(FOLLOWERS),-followers $(FOLLOWERS)) $(if $(QUICK),-quick) -json bench/results.json

.PHONY: flood
flood: ## measure 1,000 receipts a second beside a broadcast, then 2,000 forged bodies too, in 25 minutes (QUICK=1: three); on MariaDB if TEST_MYSQL_URL is set
	go run ./bench -flood $(if $(QUICK),-quick) -json bench/results.json

.PHONY: bench-audiences
bench-audiences: ## measure what topics, tags and lists cost at 1,000,000, in ten minutes (QUICK=1: 100,000); MariaDB too if TEST_MYSQL_URL is set
	go run ./bench -audiences $(if $(QUICK),-quick) -json bench/results.json

.PHONY: bench-copy
bench-copy: ## measure the copy of 1,000,000 recipients and deliveries from SQLite to MySQL and back; wants TEST_MYSQL_URL
	COPY_DELIVERIES=1000000 go test -count=1 -timeout 40m -v -run '^TestCopyOfManyDeliveries$$' ./services/copying

.PHONY: accounts
accounts: ## measure what 100 idle accounts cost in one process, and how fast one is beside a broken or flooded one, in ten minutes; MariaDB too if TEST_MYSQL_URL is set
	go run ./bench -accounts

.PHONY: bench-import
bench-import: ## measure what it takes to read 1,000,000 people from each kind of file, and to import them, in ten minutes (QUICK=1: 100,000); MariaDB too if TEST_MYSQL_URL is set
	go run ./bench -imports $(if $(QUICK),-quick)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist coverage.out
