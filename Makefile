# berth. Everything a person needs starts here; see README.md.

.PHONY: setup demo test check bench dist clean

# Installs what is missing and builds; a second or two when all is there.
setup:
	@tools/setup

# Starts a private engine, makes images from Debian's packages, runs containers from them, and shows it.
demo: setup
	@tools/demo

# Every test, on the real kernel.
test: setup
	@tools/test

check: setup
	@tools/check

# Side by side with Docker and Podman; minutes, and noisy on a busy machine.
bench: setup
	@PATH="$(CURDIR)/node_modules/node/bin:$$PATH" node tools/bench/bench.ts

dist: setup
	@PATH="$(CURDIR)/node_modules/node/bin:$$PATH" node tools/bundle.ts

clean:
	rm -rf dist native/build .cache
