# Everything that is done to this repository. `make demo` and `make test` need Go and make; with Python they do more.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PYTHON ?= python3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# What a zip of the function may weigh: it is downloaded on every cold start.
ZIP_LIMIT := 4500000
FUZZ_TIME ?= 60s
# The random world of the moto tests: the same one each time, but for `make fuzz`.
ACCEPTANCE_SEED ?= 20261122

CLI := github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cli
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null)
COMMIT = $(shell git rev-parse HEAD 2>/dev/null)
HAS_PYTHON := $(shell $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes)
GO_ARCH := $(shell go env GOARCH)
SAM_ARCH := $(if $(filter amd64,$(GO_ARCH)),x86_64,arm64)

export SAM_CLI_TELEMETRY := 0
# No check may find credentials to use, or an account to use them on.
unexport AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ENDPOINT_URL
export AWS_EC2_METADATA_DISABLED := true
export AWS_DEFAULT_REGION := us-east-1

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## the whole story on a simulated AWS: no account, no network
	@go run ./function/cmd/eventbridge-auditor demo

.PHONY: build
build: ## the terminal program, into bin/
	go build -trimpath -ldflags "-X $(CLI).Version=$(VERSION) -X $(CLI).Commit=$(COMMIT)" -o bin/eventbridge-auditor ./function/cmd/eventbridge-auditor

.PHONY: test
test: test-go ## all tests: Go with the race detector, then the real components where Python is there
ifeq ($(HAS_PYTHON),yes)
test: test-sam test-acceptance
else ifeq ($(CI),true)
test: need-python
else
test:
	@printf '%s\n' '' 'LEFT OUT, since $(PYTHON) 3.11 or later with venv is not here:' \
		'  the tests against moto, the tests with the AWS CLI, and the executable that sam build makes.' \
		'  The Go tests above did run.'
endif

.PHONY: need-python
need-python:
	@echo 'CI=true: nothing may be left out, but $(PYTHON) 3.11 or later with venv is not here' >&2; exit 1

# The race detector needs a C compiler, which a machine with Go need not have.
HAS_CC := $(shell command -v "$$(go env CC)" >/dev/null && echo yes)

.PHONY: test-go
test-go:
ifeq ($(HAS_CC)$(CI),true)
	@echo 'CI=true: nothing may be left out, but the race detector needs a C compiler, and there is none' >&2; exit 1
endif
	go test $(if $(HAS_CC),-race) ./...
	@$(if $(HAS_CC),true,echo 'LEFT OUT: the race detector, which needs a C compiler')

# The executable is the one that sam build makes for this machine.
.PHONY: test-sam
test-sam: $(VENV)/ready
	$(BIN)/sam build --parameter-overrides Architecture=$(SAM_ARCH) --build-dir .aws-sam/$(SAM_ARCH)
	BOOTSTRAP=$(CURDIR)/.aws-sam/$(SAM_ARCH)/AuditorFunction/bootstrap go test -count=1 ./function

.PHONY: test-acceptance
test-acceptance: $(VENV)/ready build
	ACCEPTANCE_SEED=$(ACCEPTANCE_SEED) AUDITOR=$(CURDIR)/bin/eventbridge-auditor $(BIN)/python .ci/acceptance/run.py

.PHONY: check
check: check-go check-deploy check-size ## formatting, static analysis, templates, the function's size

.PHONY: check-go
check-go:
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	go vet ./...
	go vet -tags lambda.norpc ./function
	go run $(STATICCHECK) ./...
	go mod tidy -diff
	go mod verify
	shellcheck .ci/run

.PHONY: check-deploy
check-deploy: $(VENV)/ready
	$(BIN)/cfn-lint template.yaml infra/*.yaml
	$(BIN)/sam validate --lint

# arm64 is what the template deploys unless told otherwise.
.PHONY: check-size
check-size: $(VENV)/ready
	$(BIN)/sam build --build-dir .aws-sam/arm64
	$(BIN)/python .ci/size.py .aws-sam/arm64/AuditorFunction $(ZIP_LIMIT)

.PHONY: bench
bench: ## the figures, each beside its goal
	go test -run '^$$' -bench . -benchtime 10x ./function
	go test -run '^$$' -bench . ./function/internal/...
	@$(MAKE) --no-print-directory check-size

.PHONY: fuzz
fuzz: $(VENV)/ready build ## a minute for each fuzz target; what is found is kept under testdata/fuzz
	@set -e; for file in $$(git grep -lE '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z]*)\(.*/\1/p' $$file); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) ./$$(dirname $$file); \
		done; \
	done
	for i in 1 2 3 4 5; do ACCEPTANCE_SEED= AUDITOR=$(CURDIR)/bin/eventbridge-auditor $(BIN)/python .ci/acceptance/run.py test_moto.AtRandom || exit 1; done

.PHONY: golden
golden: ## rewrite the golden files; read the difference before you commit it
	go test ./function/internal/notify ./function/internal/cli -update

.PHONY: clean
clean: ## remove what was built and the Python tools
	rm -rf bin .aws-sam $(VENV)

# The lock file is complete, so pip need not resolve anything.
$(VENV)/ready: .ci/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile -r $<
	touch $@
