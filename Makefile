# The verbs people type. Each installs what it needs first; CMake does the work (CMakePresets.json).
.PHONY: run build deb test test-clients test-package torture bench demo format lint fuzz tsan clean help

help:
	@echo 'make run           build the release binary and start it on 127.0.0.1:8000, data under ./data'
	@echo 'make build         leave the release binary at build/arc'
	@echo 'make deb           the Debian package, left at build/package/'
	@echo 'make demo          this machine'"'"'s own metrics, live, in and out'
	@echo 'make test          everything that must pass, under ASan and UBSan'
	@echo 'make test-clients  Telegraf against the binary (slow to install)'
	@echo 'make test-package  the Debian package installed and removed on a clean root (needs root, minutes)'
	@echo 'make torture       the failure tests in full (hours); counts: scripts/torture --help'
	@echo 'make tsan          the tests under ThreadSanitizer'
	@echo 'make fuzz          each fuzz target for FUZZ_SECONDS (60)'
	@echo 'make bench         load generator, query bench and micro benches'
	@echo 'make format lint clean'

build:
	@scripts/build release arc

deb:
	@scripts/deb

run: build
	@scripts/run

demo: build
	@scripts/demo

test:
	@scripts/test

test-clients:
	@scripts/test-clients

test-package:
	@scripts/test-package

torture:
	@scripts/torture $(TORTURE)

tsan:
	@scripts/test tsan

fuzz:
	@scripts/fuzz

bench: build
	@scripts/bench

format:
	@scripts/deps lint
	@git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'bench/*.c' 'tests/*.c' 'tests/*.h' 'include/*.h' | xargs clang-format -i

lint:
	@scripts/lint

clean:
	rm -rf build
