# nova-xloud: the commands of the house. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

TARGETS ?= debian-13 el9 29.4.0-wheel
# Releases, or a part that src/nova_xloud/bases/releases.toml gives to some.
DEEP_RELEASES ?= deep
SEEDS ?= 1-20
# Python makes no virtualenv below a directory with a colon in its name.
VENV := $(if $(findstring :,$(CURDIR)),$(HOME)/.cache/nova-xloud/venv-$(firstword $(shell pwd | sha256sum)),.venv)
BIN := $(VENV)/bin
PYTHON ?= python3

# The Debian packages that the host needs to build, and those that the tests need besides. Tools
# that only one root needs are installed in that root.
BUILD_PACKAGES := \
	python3 python3-venv \
	apt ca-certificates debian-archive-keyring apt-utils dpkg-dev gnupg gpgv patch \
	createrepo-c rpm \
	mmdebstrap systemd-container
TEST_PACKAGES := git iproute2 piuparts shellcheck

# `make test` leaves out the tests that are marked slow; `make test-all` runs them too.
MARKS := -m "not slow"
# The environments that our modules are imported in: those of `make test-nova`, or all nine.
IMPORTS :=
# Unit tests wait for servers, locks and limits: four processes keep two cores busy.
WORKERS := -n 4 --dist worksteal
# A line per test: a container test takes minutes. The slowest are listed at the end.
SHOWN := -vv --durations=15 --durations-min=5

.PHONY: help setup packages mirror test test-fast lane-packages lane-cloud lane-processor test-all test-unit test-bases test-nova test-nova-all \
	test-nova-ours test-nova-walks test-nova-without test-nova-docs test-nova-ceilometer test-nova-floors \
	test-packages test-formats test-packages-all test-system test-system-core lint new-base bench bench-system clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

setup: $(VENV)/ready ## what all other commands need: Debian packages (as root), a virtualenv

# Install the Debian packages that are missing: $(call install,NAMES)
define install
	@missing=$$(for package in $(1); do \
	    dpkg-query -W -f='$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || \
	    echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
	    [ "$$(id -u)" = 0 ] || { echo "make: as root: apt-get install" $$missing >&2; exit 1; }; \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -q --no-install-recommends $$missing; \
	fi
endef

$(VENV)/builder: pyproject.toml setup.py requirements.txt
	$(call install,$(BUILD_PACKAGES))
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	$(BIN)/click-man --target $(VENV)/share/man/man1 nova-xloud >/dev/null
	for shell in bash zsh fish; do \
	    _NOVA_XLOUD_COMPLETE=$${shell}_source $(BIN)/nova-xloud >$(VENV)/share/nova-xloud.$$shell || exit 1; \
	done
	touch $@

$(VENV)/ready: $(VENV)/builder requirements-test.txt client/setup.cfg client/debian/changelog
	$(call install,$(TEST_PACKAGES))
	$(BIN)/python -m pip install -q --require-hashes -r requirements-test.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e client
	touch $@

packages: $(VENV)/builder ## build the packages of TARGETS and the signed mirror of them: dist/
	$(BIN)/nova-xloud build $(TARGETS)
	$(BIN)/nova-xloud mirror dist/mirror

mirror: $(VENV)/builder ## the signed mirror of what is in dist/
	$(BIN)/nova-xloud mirror dist/mirror

# Tests of containers wait half of their time; Nova's suites take all the processor they get. So
# two lanes of containers and one of Nova's suites keep two cores busy. They share dist/, the caches
# and their locks: `nova-xloud build` and `mirror` take turns, and each writes whole files only.
# Each line of output begins with the name of its lane.
test: setup ## everything that CI runs; docs/testing.md says what guards what
	@$(MAKE) --no-print-directory --jobs=3 lane-packages lane-cloud lane-processor

lane-packages: LANE := test-packages
lane-cloud: LANE := test-system-core test-formats
lane-processor: LANE := lint test-unit test-bases test-nova
lane-packages lane-cloud lane-processor:
	@$(MAKE) --no-print-directory --jobs=1 $(LANE) 2>&1 | sed -u 's/^/$(@:lane-%=%): /'

test-all: MARKS :=
test-all: IMPORTS := --all-pinned
test-all: lint test-unit test-bases test-packages test-formats test-packages-all test-system test-nova test-nova-ours test-nova-walks test-nova-without test-nova-docs test-nova-ceilometer test-nova-all test-nova-floors ## every test there is, those marked slow too (root; half a day)

test-fast: lint test-unit ## what to run first and often: lint, unit tests, the weave of one base (root; a minute and a half)
	$(BIN)/python -m pytest $(MARKS) tests/bases/test_real_bases.py -k $$($(BIN)/python -m tests.nova.releases main)

test-unit: setup ## the builder's own tests, and those of the client's plugin: no network (root)
	$(BIN)/python -m pytest $(MARKS) $(WORKERS) tests/unit
	$(BIN)/python -m pytest $(MARKS) $(WORKERS) tests/client
	$(BIN)/python -m pytest $(MARKS) $(WORKERS) client/tests

test-bases: setup ## the real bases: every anchor holds in each of them; sources that users have; a fuzz of the weaver; our modules can be imported (root)
	$(BIN)/python -m pytest $(MARKS) tests/bases
	$(BIN)/python -m tests.nova.imports $(IMPORTS)

test-nova: setup ## our tests on the main release, some on the newest, Nova's of what we touch, style, servers without a floor, coverage (root)
	$(BIN)/python -m tests.nova.style --release newest
	$(BIN)/python -m tests.nova.run --release main --against-base
	$(BIN)/python -m tests.nova.run --release newest --suite brief --against-base
	$(BIN)/python -m tests.nova.pristine --release main
	$(BIN)/python -m tests.nova.settle --release main
	$(BIN)/python -m tests.nova.covered

test-nova-ours: setup ## our tests on all releases, with native threads where Nova can, style on the main one too (root)
	$(BIN)/python -m tests.nova.style
	$(BIN)/python -m tests.nova.run --suite ours --all-pinned --against-base
	$(BIN)/python -m tests.nova.run --suite ours --all-pinned --threading --against-base
	$(BIN)/python -m tests.nova.settle

test-nova-walks: setup ## random walks of operations and faults on the main release, one for each of SEEDS (root)
	NOVA_XLOUD_SEEDS=$(SEEDS) $(BIN)/python -m tests.nova.run --release main \
	    --test nova.tests.functional.libvirt.test_vcpu_current_chaos

test-nova-without: setup ## each change, taken out alone, makes a test fail (root)
	$(BIN)/python -m tests.nova.without

test-nova-docs: setup ## Nova's documents with ours in them build without a warning (root)
	$(BIN)/python -m tests.nova.documents

test-nova-ceilometer: setup ## real Ceilometers read the notifications of adjusts (root)
	$(BIN)/python -m tests.nova.ceilometer

test-nova-all: setup ## the wide run: whole packages, and servers without a floor, on DEEP_RELEASES (root; an hour each)
	$(BIN)/python -m tests.nova.run --suite ours --suite touched --suite deep --against-base \
	    $(DEEP_RELEASES:%=--release %)
	$(BIN)/python -m tests.nova.pristine $(DEEP_RELEASES:%=--release %)

test-nova-floors: setup ## Nova's functional tests with a floor on every flavor, on the main and the newest release (root; an hour each)
	$(BIN)/python -m tests.nova.floors

test-packages: setup packages ## Debian 13: install, upgrade, break, swap back, purge in booted containers (root)
	$(BIN)/python -m pytest $(MARKS) $(SHOWN) tests/packages \
	    --ignore tests/packages/deb/test_package.py --ignore tests/packages/deb/test_companions.py

test-formats: setup packages ## each format by itself, without a cloud: lint, equal bytes, relations, keys, pip, Kolla (root)
	$(BIN)/python -m pytest $(MARKS) $(SHOWN) tests/packages/deb/test_package.py \
	    tests/packages/deb/test_companions.py
	$(BIN)/python -m pytest $(MARKS) $(SHOWN) tests/packages/el9/test_package.py tests/packages/el9/test_keys.py \
	    tests/packages/el9/test_relations.py tests/packages/el9/test_companions.py --target el9
	$(BIN)/python -m pytest $(MARKS) $(SHOWN) tests/wheel tests/kolla

test-packages-all: setup ## the same scenarios for the other targets: EL 9, OpenStack 2024.1 on Debian 12 (root; an hour)
	$(MAKE) packages TARGETS="debian-13 el9 debian-12-caracal"
	$(BIN)/python -m pytest $(SHOWN) tests/packages --target el9
	$(BIN)/python -m pytest $(SHOWN) tests/packages --target debian-12-caracal

test-system: setup packages ## a real OpenStack with real guests: adjust, move, break, swap (root; half an hour)
	$(BIN)/python -m pytest $(SHOWN) tests/system

test-system-core: setup packages ## of these, what every change must pass (root)
	$(BIN)/python -m pytest $(SHOWN) tests/system -m "core and not slow" --walks 1 --cut 4

# Files are found without git, so that a tarball of the checkout can be linted.
lint: setup ## ruff, mypy, import-linter, shellcheck, plain prose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.prose
	find . \( -name '.*' ! -name . ! -name .ci -o -path ./dist -o -path ./build -o -name __pycache__ \) -prune \
	    -o -type f -print0 | \
	    xargs -0 awk 'FNR == 1 && /^#! *\/(usr\/)?bin\/(env )?(ba)?sh/ { print FILENAME } { nextfile }' | \
	    xargs -d '\n' shellcheck

new-base: setup ## a new release of Nova, VERSION=X.Y.Z: its hash, its libraries, the check, our tests; says what broke (root)
	$(BIN)/python -m tests.nova.new_base $(VERSION) $(if $(CODENAME),--codename "$(CODENAME)")

bench: setup ## build time and size, cold, warm and unchanged, as ratios against Debian's own nova and stdeb (root)
	$(BIN)/python -m tests.bench $(TARGETS)

bench-system: setup packages ## how fast an adjust is, against libvirt alone and Nova's own resize (root)
	$(BIN)/python -m pytest tests/system/bench.py

clean: ## remove what was built, keep the caches
	rm -rf dist build $(VENV)
