.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint sessions instructions structure endurance coherence dashboard conformance build

help: ## lists what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a Flask API and aside in front of it, with a log of requests, until Ctrl-C (PORT=8080 BACKEND_PORT=5000)
	@scripts/demo

test: ## every test; installs Redis, MariaDB, Node, nginx, Chromium and what else it needs from apt where they are missing
	@scripts/test

fuzz: ## hostile bytes for every parser and validator, SECONDS=60 each, two at a time
	@scripts/fuzz $(or $(SECONDS),60)

lint: ## format, clippy and docs, warnings as errors
	@scripts/lint

sessions: ## the examples' sessions alone, on memory and Redis, SQLite and MariaDB
	@scripts/sessions

instructions: ## what a hit, a miss, a pass and a write cost, by callgrind, beside the checked-in figures (ASIDE_BIN=path)
	@scripts/instructions

structure: ## rooms, lengths, short files, circles and arrows up, as tests/architecture sees them
	@scripts/structure

endurance: ## stress for some minutes: memory, full stores, idle and slow clients, too few files, slowhttptest (ASIDE_BIN=path)
	@scripts/endurance

coherence: ## no read older than an answered write, over real processes and every fault, 30 minutes (ASIDE_BIN=path ROWS=name,...)
	@scripts/coherence $(if $(ROWS),--rows $(ROWS))

dashboard: ## the dashboard in a real Chromium; SHOTS=folder for screenshots
	@scripts/check-dashboard $(SHOTS)

conformance: ## the public suite http-tests/cache-tests, in CACHE_TESTS_DIR (examples/conformance/README.md)
	@scripts/conformance

build: ## the binary for use: target/release/aside, and its debug information beside it
	@scripts/build
