# SPDX-License-Identifier: GPL-2.0-only
#
# The front door. Each target is a line or two that call a script; a comment
# after "##" is its line in "make help". Kbuild builds the module itself.

# Chooses the kernel: empty = the newest stock cloud kernel of Debian 13
# backports (for make module: the one that this machine runs, if it is a stock
# one); generic, cloud or rt = the newest of that flavour; 7.2 or 7.3-generic =
# the newest of that series; or a whole release; debug (7.2-debug, …) = a kernel
# of the same sources with all checks on. KERNEL is a short name for it.
NLB_KERNEL ?= $(KERNEL)
# Another kernel tree to build the module for, in place of a stock kernel.
KDIR ?=
export NLB_KERNEL KDIR

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

##@ Building

.PHONY: setup
setup: ## fetch and prepare what builds need (cache: NLB_CACHE, ~/.cache/nlb)
	@scripts/check-machine.sh
	@scripts/setup-kernel.sh

.PHONY: module
module: ## build nlb.ko for a stock kernel (NLB_KERNEL=7.3|generic|RELEASE) or for KDIR=…
	@scripts/build-module.sh

.PHONY: nlbd
nlbd: ## build the optional daemon (userspace/target/release/nlbd)
	@scripts/cargo.sh build --release --manifest-path userspace/Cargo.toml -p nlbd

.PHONY: nlbadm
nlbadm: ## build the tool (userspace/target/release/nlbadm)
	@scripts/cargo.sh build --release --manifest-path userspace/Cargo.toml -p nlbadm

.PHONY: deb
deb: ## Debian packages of tool, module and documentation (build/deb/; NLB_KERNEL)
	@scripts/build-deb.sh

.PHONY: site
site: ## the documentation as a site (build/site/index.html)
	@scripts/build-site.sh

.PHONY: apt-repo
apt-repo: ## a signed apt repository of them (build/apt-repo/; NLB_SIGN_KEY=FILE)
	@scripts/build-apt-repo.sh

.PHONY: rpm
rpm: ## RPM packages of dist/nlb.spec, tool and module sources (build/rpm/)
	@scripts/build-rpm.sh

# Where make install puts things; libdir, sbindir, datadir, mandir, docdir,
# unitdir and wiresharkdir follow prefix. MODULE is dkms, built (for NLB_KERNEL
# or KDIR) or none.
prefix ?= /usr/local
MODULE ?= $(if $(NLB_KERNEL)$(KDIR),built,dkms)
INSTALL = $(foreach name,DESTDIR prefix libdir sbindir datadir mandir docdir unitdir wiresharkdir NLBADM MODULE, \
	$(name)='$($(name))') scripts/install.sh

.PHONY: install
install: ## the tool, its units and the module, on any distribution (prefix=/usr/local DESTDIR= MODULE=dkms|built|none)
	@$(INSTALL) install

.PHONY: uninstall
uninstall: ## remove what make install has put there (prefix, DESTDIR)
	@$(INSTALL) uninstall

.PHONY: generate
generate: ## make the files that depend on module/specs/nlb.yaml, and docs/recipes' blocks of files
	@scripts/enter.sh python3 -B scripts/generate.py
	@scripts/enter.sh python3 -B scripts/recipes.py

.PHONY: clean
clean: ## remove what was built in the checkout (the cache stays)
	rm -rf build userspace/target

##@ Trying it

# Chooses a host of the lab.
HOST ?= 1

.PHONY: demo
demo: ## three guests as one web server; one of them loses its power
	@qemu-tests/demo

.PHONY: lab
lab: ## the same cluster, left up
	@qemu-tests/lab up

.PHONY: lab-shell
lab-shell: ## a shell in a host of the lab (HOST=2; leave with Ctrl-])
	@qemu-tests/lab shell $(HOST)

.PHONY: lab-down
lab-down: ## remove the lab
	@qemu-tests/lab down

# Chooses a story (docs/recipes); KEEP=1 puts what it prints into its page.
S ?=
KEEP ?=

.PHONY: scenario
scenario: ## a story of docs/recipes with real servers, on emulated hosts (S=NAME; without: their names)
	@qemu-tests/story $(if $(KEEP),--keep) $(or $(S),--list)

.PHONY: scenarios
scenarios: ## all of these stories, one after the other
	@qemu-tests/story $(if $(KEEP),--keep)

##@ Testing

.PHONY: test
test: ## all tests; T=PATTERN selects scenarios, T=unit|static|simulation|flavours|install|dissector|fresh; KERNEL=debug
	@T='$(T)' scripts/test.sh

# Kernels for make matrix, as NLB_KERNEL names them; none: the newest of each series and flavour.
KERNELS ?=

.PHONY: matrix
matrix: ## build for every stock kernel and run short tests on it (KERNELS=7.4: that one; ALL=1: older releases too)
	@scripts/matrix.sh $(KERNELS)

# How long make fuzz runs each target, and which ones.
SECONDS = 60
TARGET ?=

.PHONY: fuzz
fuzz: ## fuzz every parser for SECONDS=60 each (TARGET=name: one of them)
	@NLB_FUZZ_SECONDS=$(SECONDS) NLB_FUZZ_TARGET=$(TARGET) scripts/fuzz.sh

.PHONY: golden
golden: ## packets and verdicts of a second implementation: natively, and in the real hook
	@scripts/golden.sh

##@ Proving the protocol

# Runs the simulator: sim VERB OPTION…
SIM = cd userspace && CARGO=../scripts/cargo.sh ../scripts/cargo.sh run --quiet --profile sim -p nlb-sim --
SEEDS ?= 2000
FROM ?= 1

.PHONY: sim
sim: ## simulate seeds (SEEDS=2000 FROM=1), or one (SEED=n, TRACE=1 to see it)
	@$(SIM) run $(if $(SEED),--seed $(SEED) $(if $(TRACE),--trace),--seeds $(SEEDS) --from $(FROM))

.PHONY: sim-mutants
sim-mutants: ## broken variants of the core: the simulator must catch each (TARGET=name: one)
	@$(SIM) mutants $(if $(TARGET),--only $(TARGET))

.PHONY: model-check
model-check: ## every interleaving of two and three hosts; broken variants must be found
	@$(SIM) model-check $(if $(STATES),--states $(STATES))
	@$(SIM) mutants --by-model

.PHONY: bench-assign
bench-assign: ## what a change of members moves, beside modulo and Maglev
	@$(SIM) bench-assign

##@ Measuring

.PHONY: bench
bench: ## what a packet costs, in instructions, beside nft, iptables and XDP
	@qemu-tests/measure packet

.PHONY: bench-core
bench-core: ## the core natively: decision, parse, hash, map, heartbeat (criterion)
	@cd module/core && ../../scripts/cargo.sh bench --quiet --bench core

.PHONY: bench-cluster
bench-cluster: ## join, leave, failure and heartbeats, by the size of the cluster
	@qemu-tests/measure cluster

.PHONY: bench-scale
bench-scale: ## 1, 2, 4 processors: no cache line is written by two; memory
	@qemu-tests/measure scale

##@ Help

.PHONY: help
help: ## show this
	@awk -F ':.*## ' \
		'/^##@ / { printf "%s%s\n", sep, substr($$0, 5); sep = "\n" } \
		/^[a-z][a-z0-9-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
