# What a developer or CI runs. `make` alone lists the targets. Everything that is built or downloaded is kept outside
# the checkout, in TIDEMILL_CACHE.

export TIDEMILL_CACHE ?= $(HOME)/.cache/tidemill
export CARGO_TARGET_DIR ?= $(TIDEMILL_CACHE)/target
# The cargo profile of images: `dev` builds fast, `release` is for use.
export PROFILE ?= dev
# Where `make cluster-up` keeps its cluster.
export CLUSTER ?= $(TIDEMILL_CACHE)/run/cluster

.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster test-sql refresh-sql bench bench-nexmark cluster-up cluster-down cluster-report images crds fmt lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run an example on this machine until Ctrl-C (DEMO_SECONDS=20: stop by itself)
	@tests/make/demo.sh

test: ## all that CI runs: format, lints, licences, unit tests, chart, cluster tests
	@tests/make/check.sh all

test-cluster: ## the cluster tests alone, on a cluster of their own or on TIDEMILL_TEST_KUBECONFIG
	@tests/make/check.sh cluster

test-sql: ## the SQL cases of tests/sql (SQL_DIR= for a folder of your own), random queries (FUZZ_RUNS=), and Nexmark's beside Flink (NEXMARK_GIT=)
	@tests/make/sql.sh

refresh-sql: ## write what a real Flink gives into the SQL cases (FILES= for some of them)
	@tests/sql/refresh.py $(FILES)

lint: ## format, clippy, licences, chart
	@tests/make/check.sh lint

bench: ## side by side with Apache Flink
	@tests/bench/run.sh

bench-nexmark: ## the Nexmark queries side by side with Flink (RUN=q0,q5 EVENTS= SEED= TRACK=a|b REPEATS=)
	@tests/bench/nexmark.sh

cluster-up: ## a Kubernetes on this machine with Tidemill and Kafka in it
	@tests/make/cluster.sh up "$(CLUSTER)"

cluster-down: ## end it
	@tests/make/cluster.sh down "$(CLUSTER)"

cluster-report: ## measure start, stop, resume, scale and idle writes on a cluster
	@tests/make/check.sh report

images: ## the container image as an OCI archive, without Docker (PROFILE=release for use)
	@tests/make/images.sh

crds: ## write crds/ and the chart's copy from the Rust types
	@tests/make/crds.sh

fmt: ## format the Rust code
	@cargo fmt --all
