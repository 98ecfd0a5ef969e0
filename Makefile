# Everything that people run here. `make help` says what there is.

CLUSTER = cargo run -q -p cluster --
export RUST_BACKTRACE ?= 0

.PHONY: help demo demo-down demo-shell test test-fast contract e2e bench-rollover images crds

help: ## Says what there is.
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: ## A real rollover on a real cluster, told as it happens.
	@bash tests/require.sh
	@cargo build -q -p cluster -p demo
	@cargo run -q -p demo

demo-down: ## Removes the demo's cluster.
	@$(CLUSTER) down --name demo

demo-shell: ## A prompt whose kubectl and helm speak to the demo's cluster.
	@$(CLUSTER) shell --name demo

test: ## All checks: formatting, lints, unit, story and contract tests, then the end-to-end tests.
	@bash tests/require.sh
	@$(MAKE) --no-print-directory test-fast contract e2e

test-fast: ## The checks that need no cluster.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	HELM="$$($(CLUSTER) binaries | tail -n 1)/helm" cargo test --workspace --exclude e2e --locked

contract: ## The KMS emulator against boto3.
	bash tests/kms-emulator/contract-boto3.sh

e2e: ## The end-to-end tests, on a cluster of their own (or the one that KUBECONFIG names).
	cargo build -q -p cluster
	cargo test -p e2e --locked -- --nocapture

bench-rollover: ## Time and cost of a rollover, against a bare Deployment of the same pods.
	cargo build -q -p cluster
	cargo run -q -p e2e --bin bench-rollover

images: ## The container images, as OCI tars.
	@$(CLUSTER) images

crds: ## Writes the generated CRD anew.
	BLESS=1 cargo test -q -p chamber-api
