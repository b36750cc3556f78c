# make build    the release binaries, .build/release/scp and scpd
# make test     all tests, with what they need installed first
# make demo     copies a tree to our scpd on this machine and back
# make bench    our scp against the installed one, over loopback and a long link
# make format   puts the source into the style of .swift-format
# make lint     checks that it is

SHELL := /bin/bash
sources := Package.swift Sources Tests $(wildcard Benchmarks/*.swift)

.PHONY: build test demo bench format lint

build:
	Scripts/setup.sh
	Scripts/build.sh -c release --static-swift-stdlib

# Only some tests at a time: many start servers, and a test that waits for its turn must not run out of its time.
test:
	Scripts/setup.sh
	Scripts/build.sh --build-tests
	swift test --skip-build --experimental-maximum-parallelization-width 8

demo: build
	Scripts/demo.sh

bench: build
	Benchmarks/loopback.sh
	Benchmarks/long-link.sh
	Benchmarks/own-ends.sh
	Benchmarks/idle.sh
	Benchmarks/soak.sh

format:
	swift format --in-place --recursive $(sources)

lint:
	swift format lint --strict --recursive $(sources)
