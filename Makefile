# driftd: bare `make` lists what there is to make.

GO          ?= go
FUZZTIME    ?= 10s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build test race lint fuzz bench bench-scale bench-detect demo check sbom reproduce audit test-kafka test-collector test-registries test-alertmanager chaos chaos-short

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The same source and Go give the same bytes, wherever and whenever they are built: make reproduce.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w -buildid="

build: ## bin/driftd, static and reproducible
	$(BUILD) -o bin/driftd ./cmd/driftd

sbom: build ## bin/driftd.cdx.json: what the binary is made of, as CycloneDX
	$(GO) run ./internal/sbom bin/driftd >bin/driftd.cdx.json

reproduce: build ## builds once more, elsewhere and from nothing, and compares
	@work=$$(mktemp -d) && trap 'chmod -R u+w "$$work" && rm -rf "$$work"' EXIT && git clone -q . "$$work/elsewhere" && \
	(cd "$$work/elsewhere" && GOCACHE="$$work/cache" $(BUILD) -o "$$work/driftd" ./cmd/driftd) && cmp "$$work/driftd" bin/driftd && sha256sum bin/driftd

test: ## all tests with Go alone, the broker embedded
	$(GO) test -timeout 5m ./...

race: ## the tests under the race detector, the longest ones shortened
	$(GO) test -race -short -timeout 10m ./...

lint: ## gofmt, go.mod and go.sum, go vet, staticcheck
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt has something to say about:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

audit: ## known vulnerabilities of what driftd is built from (govulncheck), and a security linter (gosec)
	@GO="$(GO)" .ci/audit

fuzz: ## every fuzz target for FUZZTIME (10s)
	@GO="$(GO)" .ci/fuzz $(FUZZTIME)

bench: ## the figures that driftd promises, beside their targets; takes five minutes
	$(GO) run ./internal/bench

bench-scale: ## three processes beside one, rebalances, restarts with full state; wants an idle machine and root, takes ten minutes
	$(GO) run ./internal/bench -scale

bench-detect: ## false alarms and delays of the detection kinds beside plain alternatives, simulated; takes some minutes
	nice $(GO) run ./internal/benchdetect

demo: ## six hours of traffic, a regression and its rollback in a minute
	$(GO) run ./cmd/driftd demo

check: ## all that CI runs
	.ci/run

test-kafka: ## what talks to a broker, against Apache Kafka itself; wants Java 17 and Maven
	@GO="$(GO)" .ci/test-kafka

test-collector: ## what real producers write through a real Collector, which it builds; wants the network and Python 3
	@GO="$(GO)" internal/producers/test

test-alertmanager: ## the receiver of Alertmanagers against Alertmanager itself, which it builds; wants the network once
	@GO="$(GO)" .ci/test-alertmanager

test-registries: ## the clients of prompt registries against MLflow and Phoenix, which it installs; wants the network and Python 3
	@GO="$(GO)" .ci/test-registries

chaos: ## what driftd makes of every fault, on Apache Kafka itself, beside what it should; wants Java 17 and Maven, takes twelve minutes
	$(GO) run ./internal/chaos --kafka apache

chaos-short: ## each fault once, on the embedded broker
	$(GO) run ./internal/chaos --short
