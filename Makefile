# The commands of a working day. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export BATON_ROOT := $(CURDIR)

# Finds the tools that set-up installed, also in a shell that was open before.
TOOLS := source scripts/tools.sh;

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: demo
demo: ## Watch Baton pass from one simulated account to the next; no account or network needed
	@scripts/demo $(ARGS)

.PHONY: run
run: ## Start the desktop application
	@scripts/setup run
	@$(MAKE) --no-print-directory ui/dist/assets
	@$(TOOLS) cargo run --locked --package baton-desktop -- $(ARGS)

.PHONY: test
test: ## Check everything: formatting, lints, tests. Needs no display
	@scripts/setup test
	@# The crates of other platforms too: their licences are read offline.
	@$(TOOLS) cargo fetch --locked
	@$(MAKE) --no-print-directory lint
	@npm --prefix ui test
	@$(MAKE) --no-print-directory ui/dist/assets
	@# The end-to-end tests run the program itself.
	@$(TOOLS) cargo build --locked --package baton-cli
	@# A thousand idle sockets have four ends each in the tests' one process.
	@ulimit -n 8192 2>/dev/null || true; $(TOOLS) cargo test --locked --workspace --no-fail-fast

.PHONY: soak
soak: ## 100,000 requests with random faults; BATON_SOAK_SEED repeats a run, BATON_SOAK_REQUESTS makes it longer
	@scripts/setup test
	@BATON_SOAK_REQUESTS=$${BATON_SOAK_REQUESTS:-100000} BATON_SOAK_SEED=$${BATON_SOAK_SEED:-$$RANDOM} \
		bash -c 'ulimit -n 8192 2>/dev/null || true; $(TOOLS) cargo test --locked --release --package baton-engine --test soak -- --nocapture'

.PHONY: fuzz
fuzz: ## Fuzz every parser for BATON_FUZZ_SECONDS each (30: some ten minutes); ARGS names single ones
	@scripts/setup fuzz
	@scripts/fuzz run $(ARGS)

.PHONY: lint
lint: ## Check formatting, lints and the page's types only
	@npm --prefix ui run check
	@$(TOOLS) cargo fmt --all --check
	@$(TOOLS) cargo fmt --manifest-path fuzz/Cargo.toml --check
	@$(TOOLS) cargo clippy --locked --workspace --all-targets -- $$(baton_deny_warnings)

# The window's page. Not by its index.html: where there is none, build.rs puts a placeholder there.
ui/dist/assets: $(shell find ui/src ui/index.html ui/package-lock.json ui/svelte.config.js ui/vite.config.ts -type f)
	@npm --prefix ui run build

.PHONY: bench
bench: ## Measure what Baton costs beside nginx, no proxy and a bare tray; writes docs/performance.md's table
	@scripts/setup bench
	@$(MAKE) --no-print-directory ui/dist/assets
	@# In one go: by itself the bare tray would have everything below it built again, for the tests' features.
	@$(TOOLS) cargo build --release --locked --package baton-bench --package baton-cli --package baton-desktop \
		--package baton-sim --bins --example bare_tray; \
		"$${CARGO_TARGET_DIR:-target}/release/baton-bench" --write docs/performance.md

.PHONY: package
package: ## Build the .deb and .rpm into packaging/build/packages
	@scripts/package $(ARGS)

.PHONY: package-test
package-test: ## Install, use and remove the .deb in a clean Debian root; needs root and debootstrap
	@scripts/package-test $(ARGS)

.PHONY: clean
clean: ## Remove what was built
	@$(TOOLS) cargo clean
	@rm -rf ui/dist gen packaging/build
