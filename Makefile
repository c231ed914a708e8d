# Use it
#   make demo             align a model that draws emoji with a reward written in C; out/demo/report.html shows the run
#   make install          install command, library, headers, mixgrpo.pc, CMake package, manual pages, shell completions, examples and
#                         the small models into PREFIX (default /usr/local)
#   make library          build .build/release/libmixgrpo.so
#   make command          build .build/release/mixgrpo-command
#   make wheel            build a Python wheel for other machines, into dist/
#   make docs             write the documentation of all languages as one site; open out/docs/index.html
#   make clean            remove everything that was built
# Change it
#   make format           format the sources in Swift, Python and Rust
#   make generate         write what the bindings declare, from include/mixgrpo.h and the table of settings
#   make lint             check formats, imports and the linters of all languages
#   make abi-baseline     record the binary interface of include/mixgrpo.h that later headers must keep
#   make test             run all tests; CONTRIBUTING.md lists the parts
#   make test-sanitize    run tests under AddressSanitizer, ThreadSanitizer, UndefinedBehaviorSanitizer and valgrind
#   make test-failures    make every allocation, file operation and callback of every call fail once
#   make test-growth      train 10 000 iterations in one process, in each language, and watch its memory, files and threads
#   make test-states      walk randomly through the states of the C interface, beside a model of it; STEPS=1000000, SEED=…,
#                         SANITIZE=address for a library under AddressSanitizer
#   make fuzz             try random inputs and calls for hours; INPUTS=1000000 of each, SEED=…
#   make fuzz-guided      the same, guided by coverage
#   make coverage         count what the tests reach; writes docs/coverage.md
#   make mutants          change the sources in hundreds of small ways and count what no test notices; writes docs/mutants.md
# Measure it
#   make bench            time rollout and update on this machine
#   make bench-torch      the same, side by side with PyTorch
#   make bench-reward     time to a reward, here and in PyTorch; continues where it was stopped; writes docs/time-to-a-reward.md
#   make bench-ranks      time and traffic of one and two processes, here and with PyTorch's DDP; writes docs/scaling.md
#   make teach            count the votes that a taste needs: a script votes like a person, with several seeds
#   make pictures         make the captioned emoji that examples/emoji was trained on, in out/emoji
#   make compare          compare MixGRPO with Flow-GRPO and DanceGRPO; continues where it was stopped
#
# MIXGRPO_MPI=1 make command            builds a command that also works under mpirun; needs libopenmpi-dev
# MIXGRPO_PROCESSOR=x86-64-v3 make …    builds for machines without AVX-512, where this one has it

PREFIX ?= /usr/local
OUT ?= out
VENV ?= .venv
VERSION := 0.1.0

# Target processor of the library: x86-64-v4 (AVX-512) if this machine supports it, otherwise x86-64-v3 (AVX2 and FMA).
# Results are bit-identical. Products for other machines are built for x86-64-v3.
AVX512 := avx512f avx512bw avx512cd avx512dq avx512vl
ifndef MIXGRPO_PROCESSOR
MIXGRPO_PROCESSOR := $(if $(filter-out $(shell grep -m 1 ^flags /proc/cpuinfo 2>/dev/null),$(AVX512)),x86-64-v3,x86-64-v4)
endif
ifeq ($(filter x86-64-v3 x86-64-v4,$(MIXGRPO_PROCESSOR)),)
$(error MIXGRPO_PROCESSOR: expected x86-64-v3 or x86-64-v4, got $(MIXGRPO_PROCESSOR))
endif
export MIXGRPO_PROCESSOR

# A target may import only what Package.swift declares for it. `make lint` checks it where the toolchain does not.
SWIFT_BUILD := swift build -c release --explicit-target-dependency-import-check error

LIBRARY := .build/release/libmixgrpo.so
PORTABLE := $(if $(filter x86-64-v4,$(MIXGRPO_PROCESSOR)),.build-portable,.build)
PORTABLE_LIBRARY := $(PORTABLE)/release/libmixgrpo.so
COMMAND := .build/release/mixgrpo-command
EXAMPLES := .build/examples
CFLAGS := -std=c99 -O2 -Wall -Wextra -pedantic -Werror
CXXFLAGS := -std=c++17 -O2 -Wall -Wextra -pedantic -Werror

.PHONY: help prepare downloads build-products build-swift-tests build-portable build-address build-thread each-failure short-growth portable demo pictures generate abi-baseline test lint test-generate test-abi test-swift test-c test-cpp test-python test-ranks test-wheel test-rust test-survival test-command test-command-ranks test-first-hour test-limits test-failures-quick test-failures test-growth test-fuzz test-states test-states-quick test-examples test-runtimes test-compare test-person teach test-docs docs wheel test-sanitize test-sanitize-quick fuzz fuzz-guided coverage mutants compare bench bench-torch bench-reward bench-ranks library command install format clean packages

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

packages:
	@.ci/setup packages

library: packages
	$(SWIFT_BUILD) --product mixgrpo
	@ln -sf libmixgrpo.so .build/release/libmixgrpo.so.0

portable: packages build-portable
	@ln -sf libmixgrpo.so $(PORTABLE_LIBRARY).0

command: packages
	$(SWIFT_BUILD) --product mixgrpo-command

# ---------------------------------------------------------------------------------------------------------------- demo

# In the order of the alphabet, so that the first ones, which the report shows, are of all kinds.
demo: library command $(EXAMPLES)/epaper
	@rm -rf $(OUT)/demo
	@mkdir -p $(OUT)
	@LC_ALL=C sort examples/emoji/prompts.txt >$(OUT)/emoji.txt
	.build/release/mixgrpo-command align --config examples/emoji/epaper.json --model examples/emoji --prompts $(OUT)/emoji.txt \
	  --reward-program "contrast=$(EXAMPLES)/epaper contrast" \
	  --held-out-program "recognised=$(EXAMPLES)/epaper recognised examples/emoji" --out $(OUT)/demo
	$(EXAMPLES)/epaper draw examples/emoji examples/emoji $(OUT)/demo/before.png
	$(EXAMPLES)/epaper draw examples/emoji $(OUT)/demo/model $(OUT)/demo/after.png

$(EXAMPLES)/epaper: examples/c/epaper.c include/mixgrpo.h | library
	@mkdir -p $(@D)
	cc $(CFLAGS) -Iinclude -o $@ examples/c/epaper.c -L.build/release -lmixgrpo -lm -Wl,-rpath,'$$ORIGIN/../release'

pictures:
	.ci/setup pictures $(VENV)
	$(VENV)/bin/python examples/lab/pictures/emoji.py --out $(OUT)/emoji

$(EXAMPLES)/align: examples/c/align.c examples/c/world.c examples/c/world.h include/mixgrpo.h | library
	@mkdir -p $(@D)
	cc $(CFLAGS) -Iinclude -o $@ examples/c/align.c examples/c/world.c -L.build/release -lmixgrpo -lm \
	  -Wl,-rpath,'$$ORIGIN/../release'

$(EXAMPLES)/align-cpp: examples/cpp/align.cpp examples/c/world.c examples/c/world.h include/mixgrpo.h include/mixgrpo.hpp | library
	@mkdir -p $(@D)
	cc $(CFLAGS) -c -o $(EXAMPLES)/world.o examples/c/world.c
	c++ $(CXXFLAGS) -Iinclude -o $@ examples/cpp/align.cpp $(EXAMPLES)/world.o -L.build/release -lmixgrpo \
	  -Wl,-rpath,'$$ORIGIN/../release'

# ---------------------------------------------------------------------------------------------------------------- test

test: lint prepare test-generate test-abi test-swift test-c test-limits test-failures-quick test-fuzz test-states-quick test-sanitize-quick test-cpp test-python test-wheel test-rust test-survival test-command test-command-ranks test-first-hour test-examples test-runtimes test-compare test-person test-docs
	@echo "all tests passed"

# What the tests build with Swift, two builds at a time, because one alone often waits for a single module; meanwhile what they need
# is downloaded. The targets below find all this done.
prepare: packages
	+@$(MAKE) --no-print-directory -j3 --output-sync=line downloads build-products build-swift-tests build-portable build-address build-thread

downloads:
	@.ci/setup everything $(VENV) || echo 'the targets that need what is missing try again'

build-products:
	for product in mixgrpo mixgrpo-command formats align conformance benchmark world; do $(SWIFT_BUILD) --product $$product || exit; done

build-swift-tests:
	$(SWIFT_BUILD) --build-tests -Xswiftc -enable-testing --scratch-path .build-test

build-portable:
	MIXGRPO_PROCESSOR=x86-64-v3 $(SWIFT_BUILD) --product mixgrpo --scratch-path $(PORTABLE)

build-address build-thread:
	Tests/sanitize/run.sh $@

# Files generated from the header and the table of settings; test-generate lists those that are out of date, and comments of the
# header that state another default or range than the table.
GENERATE := PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=bindings python3 -m generate

generate: library
	$(GENERATE)

test-generate: library
	$(GENERATE) --check

test-abi:
	.ci/setup abi
	Tests/abi/run.sh

abi-baseline:
	.ci/setup abi
	Tests/abi/run.sh --write

lint: packages
	.ci/setup lint $(VENV)
	RUFF=$(abspath $(VENV))/bin/ruff Tests/lint/run.sh

test-swift: packages build-swift-tests
	swift test -c release --skip-build --scratch-path .build-test

test-c: library
	Tests/c/run.sh

test-limits: library
	Tests/limits/run.sh

# Each call with its first, second, … failure; the whole also writes the figures of docs/failures.md.
test-failures-quick: library
	.ci/setup python $(VENV) light
	+@$(MAKE) --no-print-directory -j2 --output-sync=target each-failure short-growth

each-failure:
	Tests/failures/run.sh

short-growth:
	PYTHON=$(VENV)/bin/python Tests/growth/run.sh 300

test-failures: library
	Tests/failures/run.sh --whole --write

# 10 000 iterations in one process, in C, C++, Python and Rust.
test-growth: library
	.ci/setup python $(VENV) light
	PYTHON=$(VENV)/bin/python Tests/growth/run.sh 10000

# A few seconds of `make fuzz`.
test-fuzz: library
	$(SWIFT_BUILD) --product formats
	Tests/fuzz/run.sh 10000

INPUTS ?= 1000000
SEED ?= $(shell date +%s)
fuzz: library
	$(SWIFT_BUILD) --product formats
	Tests/fuzz/run.sh $(INPUTS) $(SEED)

STEPS ?= 1000000
test-states: library
	.ci/setup python $(VENV) light
	PYTHON=$(VENV)/bin/python SANITIZE=$(SANITIZE) Tests/states/run.sh $(STEPS) $(SEED)

# The part that is fast enough for every test run; always the same walks.
test-states-quick: library
	.ci/setup python $(VENV) light
	PYTHON=$(VENV)/bin/python Tests/states/run.sh 10000 1

# With libFuzzer; findings go to out/fuzz.
fuzz-guided: packages
	Tests/fuzz/guided.sh $(INPUTS)

coverage: packages
	.ci/setup python $(VENV)
	.ci/setup browser
	PYTHON=$(abspath $(VENV))/bin/python Tests/coverage/run.sh --page docs/coverage.md

MUTANTS ?= 400
mutants: packages
	python3 Tests/mutants/run.py --count $(MUTANTS) --page docs/mutants.md

test-sanitize: export MIXGRPO_PORTABLE_LIBRARY = $(abspath $(PORTABLE_LIBRARY))
test-sanitize: library portable
	.ci/setup valgrind
	Tests/sanitize/run.sh undefined
	Tests/sanitize/run.sh address
	Tests/sanitize/run.sh thread
	Tests/sanitize/run.sh valgrind
	Tests/sanitize/run.sh swift

# The part that is fast enough for every test run.
test-sanitize-quick: export MIXGRPO_PORTABLE_LIBRARY = $(abspath $(PORTABLE_LIBRARY))
test-sanitize-quick: library portable
	.ci/setup valgrind
	Tests/sanitize/run.sh quick

test-cpp: library
	Tests/cpp/run.sh
	Tests/cmake/run.sh

test-python: library
	.ci/setup mpi
	.ci/setup python $(VENV)
	.ci/setup browser
	MIXGRPO_LIBRARY=$(abspath $(LIBRARY)) $(VENV)/bin/python -m pytest -q bindings/python/tests

# Every combination of wrapper, statistics and optimizer over several processes; test-python runs one of each kind.
test-ranks: library
	.ci/setup python $(VENV)
	MIXGRPO_RANKS=all MIXGRPO_LIBRARY=$(abspath $(LIBRARY)) $(VENV)/bin/python -m pytest -q bindings/python/tests/test_ranks.py \
	  bindings/python/tests/test_ranks_machines.py

test-wheel: wheel
	Tests/python/wheel.sh dist/mixgrpo-$(VERSION)-*.whl

test-rust: library
	Tests/rust/run.sh

# Kills training at random moments and fills its disk; more kills: make test-survival KILLS=5000
KILLS ?= 40
test-survival: library command
	Tests/survival/run.sh --kills $(KILLS)

test-command: command
	.ci/setup terminal $(VENV)
	PYTHON=$(abspath $(VENV))/bin/python Tests/command/run.sh
	Tests/command/guidance.sh
	Tests/command/anywhere.sh

# The command under mpirun. With MPI two of its files are built again, and afterwards without.
test-command-ranks: command
	.ci/setup mpi
	Tests/command/ranks.sh

# The commands of docs/guides/first-hour.md, with an installation of its own.
test-first-hour: library command
	.ci/setup terminal $(VENV)
	rm -rf .build/first-hour
	$(MAKE) --no-print-directory install PREFIX=$(CURDIR)/.build/first-hour >/dev/null
	$(VENV)/bin/python Tests/command/first_hour.py --bin .build/first-hour/bin

test-examples: export MIXGRPO_PORTABLE_LIBRARY = $(abspath $(PORTABLE_LIBRARY))
test-examples: library portable command $(EXAMPLES)/align $(EXAMPLES)/align-cpp
	$(SWIFT_BUILD) --product align
	$(SWIFT_BUILD) --product conformance
	Tests/rust/run.sh examples
	.ci/setup python $(VENV) light
	$(SWIFT_BUILD) --product benchmark
	Tests/examples/benchmark.sh
	$(SWIFT_BUILD) --product world
	Tests/examples/world.sh
	Tests/examples/own_model.sh
	.ci/setup mpi
	Tests/examples/mpi.sh
	Tests/examples/evaluate.sh
	.ci/setup pictures $(VENV)
	PYTHON=$(abspath $(VENV))/bin/python Tests/examples/emoji.sh
	PYTHON=$(abspath $(VENV))/bin/python Tests/examples/same_numbers.sh
	PYTHON=$(abspath $(VENV))/bin/python Tests/examples/conformance.sh
	python3 Tests/examples/readme_snippets.py
	Tests/examples/install.sh

# LuaJIT, Ruby, Go and Java against C, three iterations; the whole quickstarts: make test-runtimes ITERATIONS=20
ITERATIONS ?= 3
test-runtimes: library
	.ci/setup runtimes
	Tests/examples/runtimes.sh $(ITERATIONS)

test-docs: library command
	.ci/setup docs $(VENV)
	.ci/setup browser
	PYTHON=$(abspath $(VENV))/bin/python Tests/docs/run.sh

# ---------------------------------------------------------------------------------------------------------------- docs

# Sphinx joins what docc, Doxygen, cargo, the header and the command say; a warning, a broken reference and a public Swift symbol
# without a docstring are errors.
docs: library command
	.ci/setup docs $(VENV)
	$(VENV)/bin/python docs/site/build.py --build .build/release --out $(OUT)/docs

# --------------------------------------------------------------------------------------------------------------- wheel

# auditwheel names the oldest Linux that the wheel runs on; the library contains everything that such a system may lack.
wheel: portable
	.ci/setup wheel $(VENV)
	rm -rf dist .build/wheel
	MIXGRPO_LIBRARY=$(abspath $(PORTABLE_LIBRARY)) $(VENV)/bin/python -m build -q --wheel --no-isolation --outdir .build/wheel bindings/python
	PATH=$(abspath $(VENV))/bin:$$PATH $(VENV)/bin/auditwheel repair --wheel-dir dist .build/wheel/*.whl
# Chromium votes on the page of --reward-person: bad input, the look of the page, a person with a hidden taste.
test-person: command
	.ci/setup browser
	Tests/person/run.sh

# How many votes a taste needs: two tastes, several seeds, each way of voting; and the picture of the guide.
teach: library command
	.ci/setup browser
	.ci/setup curves $(VENV)
	MIXGRPO_LIBRARY=$(abspath $(LIBRARY)) PYTHONPATH=bindings/python $(VENV)/bin/python examples/lab/votes/votes.py --workers 2
	python3 Tests/person/voter.py --picture docs/pictures/voting.png

test-compare: command
	.ci/setup browser
	Tests/compare/run.sh

# ------------------------------------------------------------------------------------------------------------- compare

compare: command
	$(COMMAND) compare --out $(OUT)/compare

# --------------------------------------------------------------------------------------------------------------- bench

bench: library
	$(SWIFT_BUILD) --product benchmark
	@mkdir -p $(OUT)
	.build/release/benchmark --out $(OUT) --growth
	@cc -std=gnu11 -O2 -Wall -Wextra -Iinclude -o .build/ready examples/lab/benchmark/ready.c -ldl
	@.build/ready $(LIBRARY) examples/base > /dev/null && .build/ready $(LIBRARY) examples/base

MATPLOTLIB = $(VENV)/bin/python -c 'import matplotlib' 2>/dev/null || $(VENV)/bin/pip install -q matplotlib

bench-torch: packages
	$(SWIFT_BUILD) --product benchmark
	.ci/setup python $(VENV)
	$(MATPLOTLIB)
	@mkdir -p $(OUT)
	$(VENV)/bin/python examples/lab/benchmark/compare_torch.py --benchmark .build/release/benchmark --out $(OUT)

bench-reward: library
	.ci/setup python $(VENV)
	$(MATPLOTLIB)
	MIXGRPO_LIBRARY=$(abspath $(LIBRARY)) PYTHONPATH=bindings/python \
	  $(VENV)/bin/python examples/lab/benchmark/time_to_reward.py --out $(OUT)/reward --page docs/time-to-a-reward.md

bench-ranks: library command
	$(SWIFT_BUILD) --product benchmark
	.ci/setup mpi
	.ci/setup python $(VENV)
	$(MATPLOTLIB)
	MIXGRPO_LIBRARY=$(abspath $(LIBRARY)) PYTHONPATH=bindings/python \
	  $(VENV)/bin/python examples/lab/benchmark/compare_ranks.py --out $(OUT)/ranks --page docs/scaling.md

# ------------------------------------------------------------------------------------------------------------- install

SHARE := $(DESTDIR)$(PREFIX)/share
EXAMPLES_SHARE := $(SHARE)/doc/mixgrpo/examples

# A program finds a library outside of the system's folders by the path that it was linked with.
RPATH := $(if $(filter /usr,$(PREFIX)),,-Wl,-rpath,$${libdir} )

install: library command
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/lib/cmake/mixgrpo $(DESTDIR)$(PREFIX)/include
	install -m 755 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib/libmixgrpo.so.$(VERSION)
	strip --strip-unneeded $(DESTDIR)$(PREFIX)/lib/libmixgrpo.so.$(VERSION)
	ln -sf libmixgrpo.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libmixgrpo.so.0
	ln -sf libmixgrpo.so.0 $(DESTDIR)$(PREFIX)/lib/libmixgrpo.so
	install -m 755 $(COMMAND) $(DESTDIR)$(PREFIX)/bin/mixgrpo
	strip $(DESTDIR)$(PREFIX)/bin/mixgrpo
	install -m 644 include/mixgrpo.h include/mixgrpo.hpp $(DESTDIR)$(PREFIX)/include
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: mixgrpo' \
	  'Description: Aligns flow-matching image models with any reward' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} $(RPATH)-lmixgrpo' 'Cflags: -I$${includedir}' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/mixgrpo.pc
	install -m 644 cmake/mixgrpoConfig.cmake $(DESTDIR)$(PREFIX)/lib/cmake/mixgrpo
	sed 's/@VERSION@/$(VERSION)/' cmake/mixgrpoConfigVersion.cmake.in > \
	  $(DESTDIR)$(PREFIX)/lib/cmake/mixgrpo/mixgrpoConfigVersion.cmake
	install -d $(SHARE)/mixgrpo/base $(SHARE)/mixgrpo/emoji $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions \
	  $(SHARE)/fish/vendor_completions.d $(EXAMPLES_SHARE)
	install -m 644 $(addprefix examples/base/,config.json mixgrpo.json diffusion_pytorch_model.safetensors README.md) \
	  $(SHARE)/mixgrpo/base
	install -m 644 examples/emoji/* $(SHARE)/mixgrpo/emoji
	$(COMMAND) --generate-completion-script bash > $(SHARE)/bash-completion/completions/mixgrpo
	$(COMMAND) --generate-completion-script zsh > $(SHARE)/zsh/site-functions/_mixgrpo
	$(COMMAND) --generate-completion-script fish > $(SHARE)/fish/vendor_completions.d/mixgrpo.fish
	$(COMMAND) --experimental-dump-help | python3 packaging/manual.py $(SHARE)/man/man1 $(VERSION)
	tar -C examples --exclude=./base --exclude=./emoji --exclude=./lab --exclude=__pycache__ -cf - . | tar -C $(EXAMPLES_SHARE) -xf -
	ln -sfn ../../../mixgrpo/base $(EXAMPLES_SHARE)/base
	ln -sfn ../../../mixgrpo/emoji $(EXAMPLES_SHARE)/emoji

# --------------------------------------------------------------------------------------------------------- housekeeping

format:
	.ci/setup lint $(VENV)
	swift format --in-place --recursive Package.swift Sources Tests examples
	$(VENV)/bin/ruff check --quiet --fix --select I --config bindings/python/pyproject.toml bindings/python bindings/generate docs/site examples Tests
	$(VENV)/bin/ruff format --quiet --config bindings/python/pyproject.toml bindings/python bindings/generate docs/site examples Tests
	cd bindings/rust && cargo fmt

clean:
	rm -rf .build .build-portable .build-test dist $(OUT) $(VENV)
