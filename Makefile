# Everything that people run here. `make help` says what there is.

CLUSTER = cargo run -q --locked -p cluster --
NAME ?= dev
STATES ?= 60000
SLIPS ?= 1
WISHES ?= 1
FUZZ_SECONDS ?= 60
N ?= 100
NAMESPACES ?= 10
export RUST_BACKTRACE ?= 0

.PHONY: sarif-peer eif-peer fuzz help demo demo-down demo-shell test test-fast laws bench-plan bench-policy contract policy-peer policy-terraform e2e mutants enclave
.PHONY: eif eif-reproducible alerts gitops-scripts krew
.PHONY: kill-matrix faults bench-rollover bench-scale bench-unseal images product-images crds
.PHONY: cluster-up cluster-down cluster-shell program

help: ## Says what there is.
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: ## A real rollover on a real cluster, told as it happens.
	@bash tests/require.sh
	@cargo build --locked -p cluster -p demo
	@cargo run -q --locked -p demo

demo-down: program ## Removes the demo's cluster.
	@$(CLUSTER) down --name demo

demo-shell: program ## A prompt whose kubectl and helm speak to the demo's cluster.
	@$(CLUSTER) shell --name demo

test: ## All checks: formatting, lints, unit, story and contract tests, booted enclaves, a sample of the kill matrix, then the end-to-end tests.
	@bash tests/require.sh
	@$(MAKE) --no-print-directory program
	@bin=$$($(CLUSTER) binaries) && SKIP_NOTHING=1 HELM="$$bin/helm" $(MAKE) --no-print-directory test-fast laws contract policy-terraform alerts gitops-scripts enclave kill-matrix e2e POINTS=$${POINTS:-12}

test-fast: ## The checks that need no cluster and no root (the chart's only where HELM names the program; SKIP_NOTHING=1: what is missing fails).
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --exclude e2e --exclude laws --locked
	cargo test -p e2e --lib --locked

laws: ## Searches small worlds for a broken law (STATES a world at most, SLIPS and WISHES on one way).
	cargo test --release --locked -p laws
	cargo run -q --release --locked -p laws -- --limit 40000 --faults 0 --wishes 2
	cargo run -q --release --locked -p laws -- --limit 30000 --faults 1 --wishes 2
	cargo run -q --release --locked -p laws -- --limit 30000 --faults 2 --wishes 1
	cargo run -q --release --locked -p laws -- --limit $(STATES) --faults $(SLIPS) --wishes $(WISHES)

mutants: ## cargo-mutants over the planner and the policy engine (hours; MUTANTS=1/8 tries one part of eight; needs nothing of the cluster).
	bash tests/mutants.sh

bench-plan: ## What one plan costs, with 100 chambers and 5 keys.
	cargo bench --locked -p rollover

bench-policy: ## What lint and evaluation of a key policy cost beside parsing it; fails beyond 0.6 of that.
	cargo bench --locked -p key-policy --bench policy

contract: ## The KMS emulator against boto3.
	bash tests/kms-emulator/contract-boto3.sh

policy-peer: ## The evaluator of key policies against an independent one (needs node and npm; 28,000 policies, some minutes).
	bash tests/key-policy-peer/run.sh

fuzz: ## libFuzzer over every parser of hostile input, FUZZ_SECONDS each (needs the nightly toolchain and cargo-fuzz).
	@cd tests/fuzz/libfuzzer && for target in policy image blob message envelope attestation manifest; do mkdir -p corpus/$$target && \
	cargo +nightly fuzz run --fuzz-dir . $$target corpus/$$target ../corpus/$$target \
	-- -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -rss_limit_mb=512 || exit 1; done

sarif-peer: ## SARIF of policy lint, judged by Microsoft's validator (needs npm; x86-64).
	bash tests/sarif-peer/run.sh

eif-peer: ## describe-eif against AWS's own crate: its image files, and ours as it reads them (needs openssl with its headers; ten minutes the first time).
	bash tests/eif-peer/run.sh

policy-terraform: ## The rendered Terraform against the rendered JSON, as python-hcl2 reads it (needs python3 with venv).
	bash operator/cli/tests/terraform.sh

gitops-scripts: ## Argo CD's health check and actions of a ChamberCluster, in Lua (BLESS=1 writes the ConfigMap).
	@bash tests/gitops/argocd.sh

alerts: ## The chart's alerts by promtool: when each fires, and when not.
	@bash tests/alerts/run.sh

krew: ## Archives of the command line and krew's manifest of them (VERSION=v0.1.0 URL=where HOMEPAGE=url FOLDER=with kubectl-chamber-OS-ARCH).
	@bash operator/cli/krew.sh '$(VERSION)' '$(URL)' '$(HOMEPAGE)' '$(FOLDER)'

enclave: program ## Enclave image files, booted by QEMU: unsealing, memory, hostile hosts (the first time it builds a kernel: 5 minutes).
	@places=$$($(CLUSTER) enclave-images) && env $$(echo "$$places" | tail -n 1) \
	cargo test -p emulated-chamber --locked --test enclave -- --ignored --nocapture

e2e: program ## The end-to-end tests, on clusters of their own (or the one that KUBECONFIG names).
	[ -n "$$KUBECONFIG" ] || cargo test -p cluster --locked --test live -- --ignored
	@cargo build --locked -p kubectl-chamber
	cargo test -p e2e --locked --test e2e -- --nocapture; status=$$?; \
	[ -n "$$KUBECONFIG" ] || $(CLUSTER) down --name e2e; exit $$status

kill-matrix: program ## Kills the operator at every call of a rollover in turn (POINTS=12: a sample of so many).
	@cargo build --locked -p dev-operator -p e2e
	@unset KUBECONFIG; cargo run -q --locked -p e2e --bin kill-matrix -- $(POINTS); status=$$?; \
	$(CLUSTER) down --name kill; exit $$status

faults: program ## Rollovers while API server, etcd, kubelet, Prometheus, KMS or the leader fail.
	@cargo build --locked -p dev-operator -p e2e
	@unset KUBECONFIG; export OTHER_OPERATOR="$${OTHER_OPERATOR:-$$(bash tests/e2e/operator-before.sh)}"; \
	cargo run -q --locked -p e2e --bin faults -- $(FAULTS); status=$$?; $(CLUSTER) down --name faults; exit $$status

bench-unseal: ## Time from an agent's start to the master key, against what it cannot be without: an RSA key and one round trip to KMS.
	cargo bench --locked -p unseal-agent --bench unseal

bench-rollover: program ## Time and cost of a rollover, against a bare Deployment of the same pods.
	cargo run -q --locked -p e2e --bin bench-rollover

bench-scale: program ## What N clusters in NAMESPACES namespaces cost one operator (N=100,300: a run each), with stand-ins for kubelets, Prometheus and KMS.
	cargo build -q --release --locked -p cluster -p chamber-operator -p scale
	cargo run -q --release --locked -p scale --bin bench-scale -- --clusters $(N) --namespaces $(NAMESPACES)

eif: ## The enclave image file target/enclave/chamber.eif (WORKLOAD=binary FILES=folder AUTHORITIES=pem EIF_KEY=pem|EIF_KMS_KEY=arn EIF_CERT=pem).
	@WORKLOAD='$(WORKLOAD)' FILES='$(FILES)' AUTHORITIES='$(AUTHORITIES)' EIF_KEY='$(EIF_KEY)' EIF_KMS_KEY='$(EIF_KMS_KEY)' \
	EIF_CERT='$(EIF_CERT)' bash enclave-image/build.sh

eif-reproducible: ## The enclave image file twice, the second time elsewhere, compared bit for bit (KERNEL=1: the kernel, too).
	@KERNEL='$(KERNEL)' bash tests/eif-reproducible.sh

product-images: program ## The images that users run (operator, command line, chamber), as OCI tars, with their digests.
	@$(CLUSTER) product-images

images: program ## The container images of the tests, as OCI tars, with their digests.
	@$(CLUSTER) images

cluster-up: program ## A cluster to work with (NAME=dev).
	@$(CLUSTER) up --name $(NAME)

cluster-down: program ## Ends it.
	@$(CLUSTER) down --name $(NAME)

cluster-shell: program ## A prompt whose kubectl and helm speak to it.
	@$(CLUSTER) shell --name $(NAME)

crds: ## Writes the generated CRD anew.
	BLESS=1 cargo test -q --locked -p chamber-api

program:
	@cargo build --locked -p cluster
