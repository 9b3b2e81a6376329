# berth. Everything a person needs starts here; see README.md.

NODE := node_modules/node/bin/node

.PHONY: setup demo test check bench compat dist clean

# Installs what is missing and builds; a second or two when all is there.
setup:
	@tools/setup

# Starts a private engine, makes images from Debian's packages, runs containers from them, and shows it.
demo: setup
	@$(NODE) tools/demo.ts

# Every test, on the real kernel.
test: setup
	@tools/test

check: setup
	@tools/check

# Side by side with Docker and Podman; minutes, and noisy on a busy machine. Options: make bench ARGS="--markdown --only run,exec"
# Of 1,200 containers under clients that poll, an hour: make bench ARGS="--peers none --only scale --minutes 60"
bench: setup
	@$(NODE) tools/bench/bench.ts $(filter --%,$(MAKECMDGOALS)) $(ARGS)

# The same requests to berth and to Docker, and what they answer differently: docs/compatibility.md.
compat: setup
	@$(NODE) test/compat/compat.ts $(ARGS)

--%:
	@:

dist: setup
	@$(NODE) tools/bundle.ts

clean:
	rm -rf dist native/build .cache
