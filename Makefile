# make help lists the targets.
GO ?= go
SHARED ?= $(firstword $(wildcard ../shared))

.PHONY: all help build test race noasm invariants mutate torture lint generate golden fuzz bench bench-asm bench-peers demo cross cover

all: lint test build ## lint, test and build

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build ./gtk, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o gtk ./cli/gtk

test: ## the tests of the README
	$(GO) test ./...

race: ## the short tests under the race detector
	$(GO) test -race -short -cpu 1,4 ./...

noasm: ## the tests of kernels and operators without assembly
	$(GO) test -short -tags noasm ./internal/kernel ./engine/...

lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

generate: ## regenerate protobuf code, assembly and tables
	$(GO) generate ./...

golden: ## rewrite golden files and tables of what is tested
	$(GO) test -p 1 $$(grep -rlE 'testkit\.|"update"' --include='*_test.go' . | xargs -n1 dirname | sort -u) -update

invariants: ## the short tests of the engine and what runs on it, with memory poisoned and runs watched
	$(GO) test -short -tags invariants ./internal/parallel ./internal/kernel ./engine/... ./train ./explain ./prune ./task ./job

mutate: ## break one thing after another in a copy and tell which test sees it (minutes)
	./scripts/mutate.sh

SEED ?= 0
COUNT ?= 0
FIRST ?= 0
MINUTES ?= 0
BIN ?=
KIND ?=
torture: $(if $(BIN),,build) ## hostile inputs and faults: SEED (0: a fresh one), COUNT mutants or MINUTES, KIND, BIN; failures go to torture.out
	$(GO) build -trimpath -o torture.bin ./internal/torture/cmd
	./torture.bin -seed $(SEED) -count $(COUNT) -first $(FIRST) -minutes $(MINUTES) -kind '$(KIND)' -bin $(or $(BIN),./gtk) -shared '$(SHARED)' \
		-known internal/torture/known.txt -keep torture.out

FUZZTIME ?= 60s
fuzz: ## run every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$p || exit 1; done; done

bench: ## kernel and engine benchmarks
	$(GO) test -run '^$$' -bench . ./internal/kernel ./engine/...

bench-asm: ## what the assembly brings: the same benchmarks with and without it
	$(GO) test -run '^$$' -bench 'Sgemm/512|Conv' -tags noasm ./internal/kernel
	$(GO) test -run '^$$' -bench 'Sgemm/512|Conv' ./internal/kernel

bench-peers: build ## gtk, PyTorch and ONNX Runtime on the same work, as ratios (PEERS: folder with the peers' scripts)
	./scripts/bench-peers.sh $(PEERS)

demo: build ## the whole story on built-in data
	./gtk demo --force -o demo

cross: ## build for the other systems
	for t in linux/arm64 darwin/arm64 windows/amd64 linux/386 linux/arm; do CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -o /dev/null ./cli/gtk || exit 1; done

cover: ## coverage of all packages by all tests
	$(GO) test -short -coverpkg=./... -coverprofile=cover.out ./... && $(GO) tool cover -func=cover.out | tail -1
