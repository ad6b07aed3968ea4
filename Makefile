# Holdall: one word for each thing a developer does. Everything is built under build/PRESET; CMakePresets.json has the presets.
# `make` alone builds what one edits with.

MINUTES ?= 10
FUZZ_SECONDS ?= $(shell expr $(MINUTES) \* 60)
# clang-tidy takes some seconds a file: `make check` reads what changed since BASE, `make tidy` everything.
BASE ?= $(shell git rev-parse --verify --quiet HEAD~10 || git rev-parse HEAD)
PYTEST = /usr/bin/python3 -m pytest -q -p no:cacheprovider
# Whose compile commands `make check` reads with; CI has no dev build.
CHECKED ?= dev
CONFIGURE = cmake --preset $(1) $(CMAKE_FLAGS) >build/$(1).log 2>&1 || { cat build/$(1).log; false; }
BUILD = @mkdir -p build && { test -f build/$(1)/build.ninja || $(call CONFIGURE,$(1)); } && cmake --build --preset $(1) $(if $(TARGETS),--target $(TARGETS))

.PHONY: all run test parse-test vm-test check tidy fmt bench torture fuzz deb packages dev release asan tsan fuzzers clean

all: dev

run: ## the example, released twice under load, and served until Ctrl-C
	@tools/run

test: packages ## everything that must hold before a change goes in
	@tools/test

parse-test: ## the Parse-shaped API and the example against a real Parse Server, which npm installs the first time
	@tools/install_packages.sh --parse
	$(PYTEST) tests/parse

vm-test: packages release ## the package under a real systemd and control groups of version 2 alone, in an emulated machine
	@tools/install_packages.sh --vm
	@tests/vm/run build/release/holdall build/release/tests/test_app

check: packages $(CHECKED) ## layout, rooms, headers that compile alone, tidiness
	tools/format.sh --check
	tools/check_rooms.py
	$(PYTEST) tools
	tools/check_headers.py
	tools/tidy.py build/$(CHECKED) --since $(BASE)

tidy: dev ## clang-tidy over everything
	tools/tidy.py build/dev

fmt: ## lays out every C++ file
	tools/format.sh

bench: packages release ## the figures of a release and of reading compose files, short form: bench/release and bench/config have the long one
	bench/release --short
	bench/config --short

torture: packages dev ## kills every process at every point of a release: a quarter of an hour
	tests/torture/torture.py

fuzz: packages fuzzers ## every fuzz target for MINUTES
	tools/fuzz build/fuzz $(FUZZ_SECONDS)

deb: packages release ## build/holdall_VERSION_ARCHITECTURE.deb
	@packaging/build_deb build/release/holdall build

packages:
	@tools/install_packages.sh

dev release asan tsan:
	$(call BUILD,$@)

fuzzers:
	$(call BUILD,fuzz)

clean:
	chmod -R u+w build 2>/dev/null; rm -rf build
