# Every target sets up what it needs by itself. `make help` lists them.
SHELL       := /bin/bash
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BINARY      := bin/fastmcp-auth
NPM         := $(shell command -v npm)
MVN         := $(and $(or $(JAVA_HOME),$(shell command -v java)),$(shell command -v mvn))
CHROMIUM    := $(shell command -v chromium)
PYTHON      := $(shell command -v python3)
REDIS       := $(shell command -v redis-server)
SYSTEMD     := $(shell command -v systemd-analyze)
PROMTOOL    := $(shell command -v promtool)
KEYRING     := $(and $(shell command -v dbus-run-session),$(shell command -v gnome-keyring-daemon))
# weight_test.go says what the program would weigh without.
TAGS        := grpcnotrace
FUZZ        := .
FUZZTIME    := 10m
export CGO_ENABLED ?= 1

.PHONY: help web demo test check bench soak build fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

web: ## build the console into web/dist, from where go build takes it (needs npm)
	@cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

build: ## build bin/fastmcp-auth
	go build -trimpath -tags $(TAGS) -ldflags "-s -w" -o $(BINARY) ./cmd/fastmcp-auth

# The console is built when it is missing or its sources have changed; without npm the rest works all the same.
web/dist/index.html: $(shell git ls-files web ':!web/*.go' ':!web/dist' 2>/dev/null)
	@if [ -n "$(NPM)" ]; then $(MAKE) --no-print-directory web; else \
	  echo "left out: the web console, because npm is missing. Install Node.js and npm to have it."; fi

demo: web/dist/index.html ## sign in, call a protected tool with live progress, see two refusals (ARGS="--once --yes" ends by itself)
	@echo "building $(BINARY), a minute the first time"
	@go build -tags $(TAGS) -o $(BINARY) ./cmd/fastmcp-auth
	@$(BINARY) demo $(ARGS)

test: web/dist/index.html ## run every test with the race detector, against real parties too
	@if [ -z "$(NPM)" ]; then \
	  echo "left out: MCP Inspector, the TypeScript client, the conformance suite and the web console (interop/, web/), because npm is missing. Install Node.js and npm to run them."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(MVN)" ]; then \
	  echo "left out: Keycloak (interop/keycloak/), because java or mvn is missing. Install Java 17 or newer and Maven to run it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(CHROMIUM)" ]; then \
	  echo "left out: what a real browser does (interop/keycloak/, interop/console/), because chromium is missing. Install Chromium to run it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(PYTHON)" ]; then \
	  echo "left out: the fuzzer of the REST API (interop/rest/), because python3 is missing. Install Python 3.11 or newer to run it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(REDIS)" ]; then \
	  echo "left out: Redis (store/redis/), because redis-server is missing. Install Redis to run it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(SYSTEMD)" ]; then \
	  echo "left out: the systemd unit (deploy/systemd/), because systemd-analyze is missing. Install systemd to check it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(KEYRING)" ]; then \
	  echo "left out: a real keyring (client/tokencache/), because dbus-run-session or gnome-keyring-daemon is missing. Install GNOME Keyring to run it."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -z "$(PROMTOOL)" ]; then \
	  echo "left out: the alert rules (deploy/prometheus/), because promtool is missing. Install Prometheus to check them."; \
	  if [ "$$CI" = true ]; then exit 1; fi; fi
	@if [ -n "$(NPM)" ]; then cd web && npm run --silent test; fi
	FASTMCP_AUTH_INTEGRATION=1 go test -race -timeout 20m ./...
	cd deploy/lint && go test ./...
	@$(MAKE) --no-print-directory fuzz FUZZTIME=1000x

# One worker, and no time spent on making inputs small, so that a run takes what FUZZTIME says: a time, or 2000x for so many inputs.
fuzz: ## give every parser of strangers' bytes inputs it has not seen, one after the other (FUZZTIME=10m, FUZZ=./bearer for a few)
	@grep -rho --include='*_test.go' -H '^func Fuzz[A-Za-z]*' $(FUZZ) | while IFS=: read -r file name; do \
	  echo "$(FUZZTIME) of $${name#func } in $${file%/*}"; \
	  go test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x -parallel 1 "./$${file%/*}" </dev/null || exit 1; done

check: ## formatting, vet, staticcheck, generated pages
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go test -run 'TestPlan|TestMap|TestGoSnippets|TestLinks|TestOnlyMain|TestReferencePages' . ./internal/...

bench: build ## what a protected call costs beside a bare server and the official SDK, and the budgets (two minutes)
	go run ./bench -binary $(BINARY) $(ARGS)

soak: build ## ten minutes at a thousand requests a second while keys, policy and provider change: every answer checked (ARGS="-duration 1m")
	go run ./bench soak -binary $(BINARY) $(ARGS)
