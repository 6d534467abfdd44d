# nova-xloud: the commands of the house. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TARGETS ?= debian-13 el9 29.4.0-wheel
DEEP_RELEASES ?= 29.4.0 31.3.1 34.0.0
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

# What the host needs, by what needs it.
HOST_PACKAGES := \
	python3 python3-venv \
	apt ca-certificates debian-archive-keyring apt-utils dpkg-dev gnupg gpgv patch \
	createrepo-c rpm \
	mmdebstrap systemd-container \
	git iproute2 lintian piuparts shellcheck

.PHONY: help setup packages mirror test test-unit test-bases test-nova test-nova-all \
	test-nova-ours test-nova-without test-nova-docs \
	test-packages test-packages-all test-system test-system-core lint bench bench-system clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(VENV)/ready ## what the other commands need: Debian packages (as root), a virtualenv

$(VENV)/ready: pyproject.toml setup.py requirements.txt
	@missing=$$(for package in $(HOST_PACKAGES); do \
	    dpkg-query -W -f='$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || \
	    echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
	    [ "$$(id -u)" = 0 ] || { echo "make setup: as root: apt-get install" $$missing >&2; exit 1; }; \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -q --no-install-recommends $$missing; \
	fi
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

packages: setup ## build the packages of TARGETS and the signed mirror of them: dist/
	$(BIN)/nova-xloud build $(TARGETS)
	$(BIN)/nova-xloud mirror dist/mirror

mirror: setup ## the signed mirror of what is in dist/
	$(BIN)/nova-xloud mirror dist/mirror

test: lint test-unit test-bases test-packages test-system-core test-nova ## everything that CI runs

test-unit: setup ## the builder's own tests: no network, no root
	$(BIN)/python -m pytest tests/unit

test-bases: setup ## the real bases: every anchor holds in all ten
	$(BIN)/python -m pytest tests/bases

test-nova: setup ## our tests on 29.4.0 and 34.0.0, Nova's of what we touch, style, servers without a floor, coverage (root)
	$(BIN)/python -m tests.nova.style
	$(BIN)/python -m tests.nova.run --release 29.4.0 --against-base
	$(BIN)/python -m tests.nova.run --release 34.0.0 --suite ours --against-base
	$(BIN)/python -m tests.nova.pristine
	$(BIN)/python -m tests.nova.covered

test-nova-ours: setup ## our tests on all nine releases, and with native threads where Nova can (root)
	$(BIN)/python -m tests.nova.run --suite ours --all-pinned --against-base
	$(BIN)/python -m tests.nova.run --suite ours --release 33.0.2 --release 34.0.0 --threading --against-base

test-nova-without: setup ## each change, taken out alone, makes a test fail (root)
	$(BIN)/python -m tests.nova.without

test-nova-docs: setup ## Nova's documents with ours in them build without a warning (root)
	$(BIN)/python -m tests.nova.documents

test-nova-all: setup ## the wide run: whole packages, and servers without a floor, on DEEP_RELEASES (root; an hour each)
	$(BIN)/python -m tests.nova.run --suite ours --suite touched --suite deep --against-base \
	    $(DEEP_RELEASES:%=--release %)
	$(BIN)/python -m tests.nova.pristine $(DEEP_RELEASES:%=--release %)

test-packages: packages ## Debian 13: install, upgrade, break, swap back, purge in booted containers; RPMs and wheel by themselves (root)
	$(BIN)/python -m pytest tests/packages
	$(BIN)/python -m pytest tests/packages/el9/test_package.py --target el9
	$(BIN)/python -m pytest tests/wheel

test-packages-all: ## the same scenarios for the other targets: EL 9, OpenStack 2024.1 on Debian 12 (root; an hour)
	$(MAKE) packages TARGETS="debian-13 el9 debian-12-caracal"
	$(BIN)/python -m pytest tests/packages --target el9
	$(BIN)/python -m pytest tests/packages --target debian-12-caracal

test-system: packages ## a real OpenStack with real guests: adjust, move, break, swap (root; half an hour)
	$(BIN)/python -m pytest tests/system

test-system-core: packages ## of these, what every change must pass (root)
	$(BIN)/python -m pytest tests/system -m core --walks 1 --cut 4

lint: setup ## ruff, mypy, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files | xargs awk 'FNR == 1 && /^#! *\/(usr\/)?bin\/(env )?(ba)?sh/ { print FILENAME } { nextfile }' | \
	    xargs shellcheck

bench: setup ## build time and size, cold, warm and unchanged, as ratios against Debian's own nova and stdeb (root)
	$(BIN)/python -m tests.bench $(TARGETS)

bench-system: packages ## how fast an adjust is, against libvirt alone and Nova's own resize (root)
	$(BIN)/python -m pytest tests/system/bench.py

clean: ## remove what was built, keep the caches
	rm -rf dist build $(VENV)
