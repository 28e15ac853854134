# Levada. `make` lists what can be made; docs/development.md says more.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# A Go that is too old must say so instead of downloading another.
export GOTOOLCHAIN := local
# What the tests install and may keep between runs and clones: Python environments and packages.
export LEVADA_TEST_CACHE ?= $(HOME)/.cache/levada-test

# The tools below, uv among them: with it the server builds the environments of steps in seconds.
export PATH := $(CURDIR)/.cache/bin:$(PATH)

PORT ?= 8080
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

GO_TAGS := grpcnotrace
# The packages that `make test-go` tests; the others below test/ have targets of their own.
GO_DIRS := ./cmd/... ./internal/... ./python/... ./components/... ./bench/... ./test/cli/... ./test/faults/... ./test/chaos/... ./test/dataset/... ./test/drift/... ./test/rollout/... ./test/levadatest/...
GO_FORMATTED := cmd internal python components bench test
BIN := bin/levada
TOOLS := $(CURDIR)/.cache/bin
# What fails once in a while on a busy machine is tried again, and the end names it. Not when much fails, nor after a data race.
GOTESTSUM := $(TOOLS)/gotestsum --rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race
CLIENT := .cache/demo-client
KFP := kfp==2.17.0
RUFF := .cache/ruff/bin/ruff
RUFF_VERSION := ruff==0.17.6
UI_STAMP := ui/node_modules/.package-lock.json
UI_BUILT := internal/web/dist/index.html
UI_SOURCES := $(shell find ui -type f -not -path 'ui/node_modules/*' -not -path 'ui/e2e/*' -not -name schema.d.ts 2>/dev/null)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

## Building

.PHONY: build
build: onnx ## Build bin/levada, with the user interface where Node.js is installed, and bin/levada-onnx
	@scripts/prereqs.sh go
	@if scripts/prereqs.sh node; then \
		$(MAKE) --no-print-directory ui; \
	else \
		echo "levada: building without the user interface; a page in its place says so"; \
	fi
	CGO_ENABLED=0 go build -trimpath -tags $(GO_TAGS) -ldflags "-s -w -X levada/internal/app.Version=$(VERSION)" -o $(BIN) ./cmd/levada

.PHONY: onnx
onnx: ## Build bin/levada-onnx, which runs ONNX models without Python (docs/serving.md)
	@scripts/prereqs.sh go
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(BIN)-onnx ./cmd/levada-onnx

.PHONY: ui
ui: $(UI_BUILT) ## Build the user interface that the binary embeds

$(UI_STAMP): ui/package-lock.json ui/package.json
	@scripts/prereqs.sh node
	cd ui && npm ci --no-audit --no-fund
	@touch $@

$(UI_BUILT): $(UI_STAMP) $(UI_SOURCES)
	cd ui && npm run --silent build
	@touch $@

.PHONY: demo
demo: build client ## Run the flights example from nothing to a packaged model (PORT=8080, DETACH=1 to stop at its end)
	@exec python3 scripts/demo.py --port $(PORT) --python $(CLIENT)/bin/python $(if $(filter 1 true yes,$(DETACH)),--detach)

.PHONY: demo-loop
demo-loop: build client ## Watch a model over the months of 2013: checks, drift, retraining, promotion (PORT=8080, DETACH=1, FOLDER=DIR, UNTIL=2013-06)
	@exec python3 scripts/demo.py --loop --port $(PORT) --python $(CLIENT)/bin/python $(if $(FOLDER),--folder $(FOLDER)) $(if $(UNTIL),--until $(UNTIL)) $(if $(filter 1 true yes,$(DETACH)),--detach)

.PHONY: demo-serve
demo-serve: build client ## Serve a model, and let three others try to take its place: one is promoted, two are rolled back (PORT=8080, DETACH=1)
	@exec python3 scripts/demo.py --serve --port $(PORT) --python $(CLIENT)/bin/python $(if $(filter 1 true yes,$(DETACH)),--detach)

.PHONY: client
client:
	@scripts/prereqs.sh python
	@scripts/python-env.sh $(CLIENT) $(KFP)

.PHONY: fmt
fmt: ruff ## Format the Go and Python code
	gofmt -w $(GO_FORMATTED)
	$(RUFF) format --quiet .

.PHONY: clean
clean: ## Remove what was built; the demo's data in .levada stays
	rm -rf bin .cache ui/node_modules ui/dist bench/out test/out
	find internal/web/dist -mindepth 1 -not -name placeholder.html -delete 2>/dev/null || true

## Checking

.PHONY: test
test: ## Run every check and test, one after the other, and say what passed
	@scripts/prereqs.sh go python node cc
	@scripts/stages.sh test-ui check build test-go test-sim test-flights test-kfp test-mlflow test-serving conformance conformance-data test-pipelines test-bench test-browser

.PHONY: check
check: $(TOOLS)/staticcheck ## Check the form of the Go code: gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $(GO_FORMATTED)); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted" >&2; exit 1; fi
	go vet -tags $(GO_TAGS) ./...
	$(TOOLS)/staticcheck -tags $(GO_TAGS) ./...

.PHONY: test-go
test-go: $(TOOLS)/gotestsum uv ## Run the Go tests with the race detector
	CGO_ENABLED=1 $(GOTESTSUM) --format pkgname --packages "$(GO_DIRS)" -- -race -tags $(GO_TAGS) -timeout 20m

.PHONY: test-ui
test-ui: $(UI_STAMP) ## Type-check, test and build the user interface
	cd ui && npm run --silent typecheck && npm run --silent test
	@$(MAKE) --no-print-directory ui

.PHONY: test-drift
test-drift: $(TOOLS)/gotestsum uv ## Compare drift and performance estimates with SciPy, Evidently and NannyML on the same data
	LEVADA_DRIFT=all $(TOOLS)/gotestsum --format testname -- -tags $(GO_TAGS) -timeout 30m -count 1 ./test/drift/...

.PHONY: bench-drift
bench-drift: ## Measure drift on columns of 1.5 million values in each table (docs/drift.md)
	go test -tags $(GO_TAGS) ./internal/core/drift -run '^$$' -bench Column -benchtime 10x

.PHONY: test-flights
test-flights: build uv ## Test the flights examples: steps on real data, and the pipelines as a whole
	@scripts/prereqs.sh python
	@scripts/python-env.sh $(LEVADA_TEST_CACHE)/flights examples/flights/requirements.txt
	for example in flights flights-monitor flights-serve; do \
		$(BIN) test examples/$$example --python $(LEVADA_TEST_CACHE)/flights/bin/python --data $(LEVADA_TEST_CACHE)/flights-data -- -q -p no:cacheprovider || exit 1; \
	done

.PHONY: test-kfp
test-kfp: $(TOOLS)/gotestsum build uv ## Drive the server with an unmodified kfp.Client
	LEVADA_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --format testname --packages "./test/kfpclient/..." -- -tags $(GO_TAGS) -timeout 15m -count 1

.PHONY: conformance
conformance: $(TOOLS)/gotestsum build uv ## Run the published KFP pipelines and compare how they end
	LEVADA_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --format standard-verbose --packages "./test/conformance/..." -- -tags $(GO_TAGS) -timeout 20m -count 1

.PHONY: conformance-data
conformance-data: ## Check tables against the published cases of Great Expectations, one line for each
	go test -tags $(GO_TAGS) -count 1 -v -run TestTheCasesOfGreatExpectations ./internal/core/expect

.PHONY: test-data
test-data: uv ## Check real tables: do suggested expectations hold for the next clean month, and do they find faults
	LEVADA_DATA=1 go test -tags $(GO_TAGS) -timeout 15m -count 1 -v ./test/expect/...

.PHONY: test-data-all
test-data-all: uv ## Compare expectations on random tables with Great Expectations itself; not part of make test
	LEVADA_DATA=all go test -tags $(GO_TAGS) -timeout 30m -count 1 -v ./test/expect/...

.PHONY: test-kinds
test-kinds: uv ## Compare kinds of data with the libraries that know them: images with CleanVision, Arrow with PyArrow, languages
	LEVADA_KINDS=all go test -tags $(GO_TAGS) -timeout 20m -count 1 -v ./test/kinds/...

.PHONY: test-pipelines
test-pipelines: $(TOOLS)/gotestsum build uv ## Run a pipeline of our own for each feature of the specification
	LEVADA_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --format pkgname --packages "./test/pipelines/..." -- -tags $(GO_TAGS) -timeout 10m -count 1

.PHONY: pipelines-all
pipelines-all: $(TOOLS)/gotestsum build uv ## Compile these pipelines with the KFP SDKs of every generation and run them all
	LEVADA_PIPELINES=all LEVADA_BIN=$(CURDIR)/$(BIN) $(TOOLS)/gotestsum --format testname -- -tags $(GO_TAGS) -timeout 30m -count 1 ./test/pipelines/...

.PHONY: pipelines
pipelines: uv ## Compile them anew with the newest SDK (test/pipelines/compiled)
	@scripts/python-env.sh .cache/pipelines-sdk $(KFP)
	rm -f test/pipelines/compiled/*.yaml
	.cache/pipelines-sdk/bin/python test/pipelines/compile.py test/pipelines/compiled

.PHONY: test-browser
test-browser: build $(UI_STAMP) ## Use the user interface in a real browser
	@browser=$$(scripts/chromium.sh); cd ui && CHROMIUM="$$browser" npm run --silent e2e

SEEDS ?= 20000
SIM := go test -tags $(GO_TAGS) -count 1 -timeout 0 ./test/sim -v

.PHONY: sim
sim: ## Simulate runs under crashes and faults: SEEDS=n of them, or SEED=n alone and step by step
	@$(SIM) -run 'TestSchedules' $(if $(SEED),-seed $(SEED),-seeds $(SEEDS)) | grep -v -e '^=== ' -e '^ *--- PASS'

.PHONY: sim-mutants
sim-mutants: ## Plant bugs one by one and show that the simulation finds each
	@SIM_MUTANTS=. $(SIM) -run TestEachBugIsFound

.PHONY: test-sim
test-sim: ## Simulate a few thousand schedules; run pipelines of a few thousand tasks
	go test -tags $(GO_TAGS) -count 1 -timeout 5m ./test/sim/memstore ./test/scale
	go test -tags $(GO_TAGS) -count 1 -timeout 5m ./test/sim -seeds 5000

.PHONY: sim-rollout
sim-rollout: ## Simulate canaries, experiments and bandits and state their error rates: TIMES=n as many as the tests do
	@LEVADA_SIM_ROLLOUT=$(or $(TIMES),10) go test -tags $(GO_TAGS) -count 1 -timeout 0 ./internal/core/rollout -run Simulated -v | grep -v -e '^=== '

.PHONY: fuzz
fuzz: ## Look for input that breaks what reads it, with each fuzz test for a while (FOR=10m)
	@go test -tags $(GO_TAGS) -list '^Fuzz' ./internal/... | awk '/^Fuzz/ {names = names " " $$1} /^ok/ {if (names != "") print $$2 names; names = ""}' | \
		while read -r package names; do for name in $$names; do \
			echo "$$package $$name"; \
			go test -tags $(GO_TAGS) -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FOR),1m) -fuzzminimizetime 20x "$$package" || exit 1; \
		done; done

.PHONY: lint
lint: check $(TOOLS)/golangci-lint ruff $(UI_STAMP) ## Look for everything the linters know; zero warnings
	$(TOOLS)/golangci-lint run ./...
	$(RUFF) check --quiet .
	$(RUFF) format --quiet --diff .
	cd ui && npm run --silent typecheck && npm run --silent lint

.PHONY: update-golden
update-golden: ## Rewrite the expected outputs of the tests; read the difference before you commit it
	go test -tags $(GO_TAGS) $$(grep -rl 'flag.Bool("update"' --include='*_test.go' internal test | xargs -n1 dirname | sort -u | sed 's|^|./|') -update

## Measuring

.PHONY: test-mlflow
test-mlflow: $(TOOLS)/gotestsum build uv ## Drive the server with unmodified MLflow clients and compare it with MLflow's
	LEVADA_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --format testname --packages "./test/clients/mlflow/..." -- -tags $(GO_TAGS) -timeout 15m -count 1

.PHONY: test-serving
test-serving: $(TOOLS)/gotestsum build uv ## Serve models that MLflow has logged to unmodified Triton, boto3 and MLflow clients; kill workers and the server
	LEVADA_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --format testname --packages "./test/serving/... ./test/inference/..." -- -tags $(GO_TAGS) -timeout 20m -count 1

.PHONY: test-flavors
test-flavors: $(TOOLS)/gotestsum build uv ## Serve models of every flavor of MLflow's that is promised, PyTorch and transformers too (5 GB, once); not part of make test
	LEVADA_FLAVORS=all LEVADA_BIN=$(CURDIR)/$(BIN) $(TOOLS)/gotestsum --format testname --packages "./test/serving/..." -- -tags $(GO_TAGS) -timeout 40m -count 1 -run 'TestModelsOf'

.PHONY: test-mlflow-all
test-mlflow-all: build uv ## The same and more: a live MLflow server, PyTorch Lightning, 20,000 runs, gigabytes, imports from every form of MLflow
	@LEVADA_MLFLOW=all scripts/mlflow-server.sh env LEVADA_BIN=$(CURDIR)/$(BIN) go test -tags $(GO_TAGS) -timeout 120m -count 1 -v ./test/clients/mlflow/...

.PHONY: bench-tracking
bench-tracking: build uv ## Measure tracking beside an MLflow server on SQLite, then on PostgreSQL where it is installed (docs/performance.md)
	@export MLFLOW_WORKERS=$${MLFLOW_WORKERS:-$$(nproc)}; measure="scripts/mlflow-server.sh go run ./bench/tracking -levada $(CURDIR)/$(BIN) -out"; \
		$$measure bench/out && python3 bench/peers/harness/postgres.py $$measure bench/out/postgres

ROWS ?= 10000000

.PHONY: bench-data
bench-data: build uv ## Profile, check and compare tables of ROWS=10000000 rows with Levada and its peers (docs/performance.md; TASKS=profile,check,drift,wide,flights PEERS=levada,duckdb)
	@set -e; cache=$$HOME/.cache/levada-bench/data; \
	peers="$(or $(subst $(comma), ,$(PEERS)),polars whylogs gx evidently tfdv flights)"; \
	for name in duckdb $$peers; do name=$${name%-10}; case $$name in \
		duckdb | polars | whylogs) scripts/python-env.sh $$cache/env-$$name bench/data/requirements.txt ;; \
		gx | evidently | tfdv | flights) scripts/python-env.sh $$cache/env-$$name bench/data/requirements-$$name.txt ;; \
	esac; done; \
	go run ./bench/data -levada $(BIN) -cache $$cache -rows $(ROWS) -tasks "$(or $(TASKS),profile$(comma)check$(comma)drift$(comma)wide$(comma)flights)" -tools "$(PEERS)" -out bench/out

UI_RUNS ?= 1000000
UI_DATA := .cache/bench-ui/runs-$(UI_RUNS)
comma := ,
# The parts that look at the many runs.
UI_MANY := $(filter load runs,$(subst $(comma), ,$(or $(ONLY),load)))

.PHONY: bench-ui
bench-ui: build $(UI_STAMP) bench-ui-data ## Measure the web interface in a browser, with 1,000,000 runs in the store (docs/performance.md; ONLY=load,runs,graph,live,curves)
	@browser=$$(scripts/chromium.sh); cd ui && CHROMIUM="$$browser" LEVADA_BENCH_DATA=$(CURDIR)/$(UI_DATA) node e2e/budgets/run.mjs

.PHONY: bench-ui-data
bench-ui-data: build $(UI_STAMP) $(if $(UI_MANY),$(UI_DATA)/levada.db) ## Only make what it measures, which is kept in .cache
	@cd ui && FILL=1 node e2e/budgets/run.mjs

# Written to a folder of another name first: what was interrupted is not taken for whole.
$(UI_DATA)/levada.db:
	@echo "storing $(UI_RUNS) runs (once)"
	@rm -rf $(UI_DATA) $(UI_DATA).part && mkdir -p $(UI_DATA).part
	LEVADA_BENCH_DATA=$(CURDIR)/$(UI_DATA).part LEVADA_BENCH_RUNS=$(UI_RUNS) go test -tags $(GO_TAGS) ./internal/adapter/store -run FillADirectory -count 1 -timeout 1h
	@mv $(UI_DATA).part $(UI_DATA)

.PHONY: bench-points
bench-points: build ## Log ten million points to one run and ask for them (docs/performance.md)
	go run ./bench/tracking -levada $(CURDIR)/$(BIN) -one-run 10000000 -out bench/out

.PHONY: bench
bench: build uv ## Measure what a step costs (docs/performance.md); PEERS=all also beside other orchestrators
	go run ./bench -out bench/out
	@$(if $(PEERS),$(MAKE) --no-print-directory bench-peers)

.PHONY: bench-peers
bench-peers: build uv ## Measure Levada beside its peers (bench/peers/README.md; PEERS=luigi,prefect ROUNDS=3 BUDGET=25m)
	go run ./bench -peers $(or $(PEERS),all) -rounds $(or $(ROUNDS),3) -budget $(or $(BUDGET),25m) -out bench/out

.PHONY: bench-serve
bench-serve: build uv ## Measure predictions beside servers of the field (ONLY=levada,fastapi LENGTH=5; levada-onnx,fastapi-onnx,... for a model in that format, levada-flights,... for that of flights)
	@set -e; names="$(ONLY)"; names=$${names:-levada,fastapi,mlflow,mlserver,bentoml,ray}; cache=$$HOME/.cache/levada-bench; \
	for name in $$(echo $$names | sed -e 's/levada/mlflow/g' | tr , '\n' | sed -e 's/+.*//' -e 's/-flights$$//' | grep -vx limit | sort -u); do \
		scripts/python-env.sh $$cache/serve-$$name bench/serve/requirements-$$name.txt; \
	done; \
	go run ./bench/serve -levada $(BIN) -only $$names -environments $$cache -seconds $(or $(LENGTH),5) -out bench/out

.PHONY: chaos
chaos: build uv ## Kill the server and its helpers 200 times during a run of 500 steps (docs/steps.md)
	CHAOS_KILLS=200 CHAOS_STEPS=500 go test -tags grpcnotrace -count=1 -timeout 40m -v ./test/chaos

.PHONY: bench-scale
bench-scale: ## Measure runs of up to 100,000 tasks, 1,000 runs at once, and lists of 1,000,000 runs (docs/reliability.md)
	go test -tags $(GO_TAGS) -count 1 -timeout 2h ./test/scale -v -sizes 1000,10000,100000 -active 1000
	LEVADA_BENCH_RUNS=1000000 go test -tags $(GO_TAGS) ./internal/adapter/store -run '^$$' -bench ListRuns -benchtime 20x -timeout 1h

.PHONY: test-bench
test-bench: build uv
	go run ./bench -steps 10 -fanout 20 -runs 1 -out bench/out

## Tools, built from the versions that tools/go.mod pins

$(TOOLS)/staticcheck $(TOOLS)/gotestsum $(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	@scripts/prereqs.sh go
	@echo "building $(@F) (once)"
	@cd tools && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -o $@ \
		$$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$')

.PHONY: uv
uv:
	@scripts/prereqs.sh python
	@scripts/python-env.sh

.PHONY: ruff
ruff:
	@scripts/prereqs.sh python
	@scripts/python-env.sh .cache/ruff $(RUFF_VERSION)
