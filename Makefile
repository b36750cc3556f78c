# make build    the release binaries, .build/release/scp and scpd
# make install  into PREFIX (/usr/local), below DESTDIR if that is set; make uninstall takes it away
# make package  a Debian package and tarballs, in .build/packages
# make documents  manuals and completions anew, from the tables of options
# make test     all tests, with what they need installed first (SANITIZE=address or thread: under that sanitizer;
#               FILTER=...: only these)
# make fuzz     every parser under libFuzzer, TIME seconds each (TARGET: only these)
# make demo     copies a tree to our scpd on this machine and back
# make bench    our scp against the installed one, over loopback and, as root, long links
# make format   puts the source into the style of .swift-format
# make lint     checks that it is

SHELL := /bin/bash
sources := Package.swift Sources Tests Benchmarks/LinkEmulator

.PHONY: build install uninstall package documents test fuzz demo bench format lint

build:
	Scripts/setup.sh
	Scripts/build.sh --release

# What they need is there: nothing is built as root, and nothing fetched.
install:
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' Scripts/install.sh install

uninstall:
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' Scripts/install.sh uninstall

package: build
	Scripts/package.sh

documents:
	Scripts/build.sh --build-tests
	UPDATE_DOCUMENTS=1 Scripts/test.sh --filter GeneratedDocumentTests

# Each sanitizer has its own build. lld, as gold fails on what the sanitizers add.
sanitizing := $(if $(SANITIZE),--sanitize $(SANITIZE) --scratch-path .build-$(SANITIZE) -Xswiftc -use-ld=lld)

test:
	Scripts/setup.sh
	Scripts/build.sh --build-tests $(sanitizing)
	Scripts/test.sh $(sanitizing) $(if $(FILTER),--filter '$(FILTER)')

fuzz:
	Scripts/fuzz.sh $(or $(TIME),60) $(TARGET)

demo: build
	Scripts/demo.sh

bench: build
	Benchmarks/loopback.sh
	Benchmarks/real-tcp.py
	Benchmarks/again.sh
	Benchmarks/own-ends.sh
	Benchmarks/idle.sh
	Benchmarks/soak.sh

format:
	swift format --in-place --recursive $(sources)

lint:
	swift format lint --strict --recursive $(sources)
