# The one door: everything that is built, tested, measured or installed goes through here.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=

BUILD := .build
PROGRAM := $(BUILD)/release/ecs-netsetup
FUZZ := $(BUILD)/fuzz
CONSUMERS := $(BUILD)/consumers
GUEST := $(BUILD)/guest
DOCKER := $(BUILD)/docker
FLEET := $(BUILD)/fleet
STATIC := $(CURDIR)/$(BUILD)/static
FLOOR := $(STATIC)/floor.o
PACKAGES := $(BUILD)/packages
ROOTS := $(BUILD)/roots
VERSION := $(shell sed -n 's/.*static let version = "\(.*\)"/\1/p' Sources/CommandLineTool/Tool.swift)

# The time that packages say they were made at: of the last commit, so that two builds give the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1767225600)
export SOURCE_DATE_EPOCH

# What the build needs from the distribution, what the tests need besides, and a file that says whether it is there.
BUILD_PACKAGES := libiptc-dev libnftnl-dev libmnl-dev pkg-config
TEST_PACKAGES := iptables nftables iproute2 strace util-linux procps time systemd busybox-static perl \
	python3-venv bash-completion zsh fish shellcheck mandoc man-db
PACKAGING_PACKAGES := dpkg-dev binutils rpm patchelf
PACKAGING_TEST_PACKAGES := $(PACKAGING_PACKAGES) lintian rpmlint mmdebstrap
# What builds and boots the guests of the boot tests.
GUEST_PACKAGES := mmdebstrap systemd-container
MACHINE_PACKAGES := qemu-system-x86 e2fsprogs

# The Swift and C++ runtimes are linked in, so that a host needs neither, and no RUNPATH is written. The folder that the
# linker searches first for the C++ runtime holds only the static one. floor.o lets the binary start with an older glibc. What
# the linker fills in at start is read-only afterwards. No trace of the building machine's folder gets into the code.
RELEASE := -c release --static-swift-stdlib --disable-local-rpath \
	-Xswiftc -L$(STATIC) -Xswiftc -Xclang-linker -Xswiftc -static-libgcc -Xlinker $(FLOOR) -Xlinker -z -Xlinker now \
	-Xlinker --build-id=none -Xswiftc -file-prefix-map -Xswiftc $(CURDIR)=.

# Tests that take minutes each, and need more of the machine than the others.
HEAVY := PackagingTests DockerTests BootTests FleetTests

# How long each parser is fuzzed, in seconds. The usual time writes docs/reliability.md.
USUAL_FUZZ_SECONDS := 60
FUZZ_SECONDS ?= $(USUAL_FUZZ_SECONDS)

# Of how many faults one is tried; all of them, 1, write docs/reliability.md.
FAULTS ?= 1

# By how much the storm is shortened; the whole of it, 1, writes docs/reliability.md.
STORM ?= 1

.PHONY: build test check bench fuzz try man install clean build-packages test-packages consumers
.PHONY: install-unit deb rpm dist test-packaging packaging-packages packaging-test-packages
.PHONY: test-docker test-boot test-boot-qemu guest guest-packages
.PHONY: test-fleet fleet-tools root
.PHONY: test-faults test-hostile test-storm test-address test-thread test-sanitizers

build: build-packages $(STATIC)/libstdc++.a $(FLOOR)
	$(SWIFT) build $(RELEASE) --product ecs-netsetup

$(STATIC)/libstdc++.a:
	@mkdir -p $(STATIC)
	@ln -sf "$$(gcc -print-file-name=libstdc++.a)" $@

$(FLOOR): packaging/portable/floor.c
	@mkdir -p $(STATIC)
	gcc -O2 -Wall -Wextra -Werror -c -o $@ $<

# Style and dependencies, the unit tests, then the tests against the kernel; the latter need root and say so when they
# are skipped.
test: check build test-packages consumers
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(SWIFT) test $(foreach tests,$(HEAVY),--skip $(tests))
	@echo "not run here, as each has a target of its own: $(HEAVY)"

# With Debian's Docker engine, in namespaces of its own. Needs root. The table that it prints is the one in docs/docker.md.
test-docker: root build test-packages $(DOCKER)/ready
	$(call need,$(DOCKER_LIBRARIES))
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(SWIFT) test --filter DockerTests

check: build-packages
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error
	@Tests/MemorySafety/check Sources

# Boots hosts in containers: our package, Docker, cloud-init, every mechanism that brings rules back, and each once without
# it. Needs root.
test-boot: root build deb test-packages $(GUEST)/systemd $(GUEST)/sysv
	$(call boot,--filter BootTests --skip VirtualMachineTests)

# The first of them once more as an emulated machine, with Debian's kernel.
test-boot-qemu: root build deb test-packages $(GUEST)/systemd
	$(call need,$(MACHINE_PACKAGES))
	$(call boot,--filter VirtualMachineTests)

# Runs such tests and shows the picture of each boot. Where no test ran, none passed.
define boot
	rm -rf $(BUILD)/boot
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(SWIFT) test $(1)
	@ls $(BUILD)/boot/*-2.txt > /dev/null
	@for report in $(BUILD)/boot/*.txt; do echo "== $$report"; sed -n '/^all .* checks passed/,$$p' $$report; done
endef

# The guests' root file systems, built once.
guest: $(GUEST)/systemd $(GUEST)/sysv

$(GUEST)/%: Tests/Guest/build | guest-packages
	@mkdir -p $(GUEST)
	Tests/Guest/build $* $@

guest-packages:
	$(call need,$(GUEST_PACKAGES))

# The Ansible role and the documents for AWS Systems Manager, by the tools that read them. Needs root.
test-fleet: root build deb test-packages fleet-tools $(GUEST)/systemd
	$(LINT_ROLE)
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(SWIFT) test --filter FleetTests

# Kills the program at every system call, makes every call fail, and lets others write at every change of rules. Needs root.
test-faults: root build test-packages
	$(SWIFT) build --product faults
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(BUILD)/debug/faults $(FAULTS)

# Others write while apply runs, and packets are sent while rules change. Needs root.
test-storm: root build test-packages
	$(SWIFT) build --product storm
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(BUILD)/debug/storm $(STORM)

# The suites of hostile folders, answers and environments alone, which are part of `make test` as well. Needs root.
NOTES := $(CURDIR)/$(BUILD)/notes
test-hostile: root build test-packages
	@rm -f $(NOTES)
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) ECS_NETSETUP_NOTES=$(NOTES) $(SWIFT) test --filter Hostile
	$(call publish,hostileInput)

# Puts what a run noted into docs/reliability.md.
define publish
	$(SWIFT) build --product publish
	flock $(BUILD) $(BUILD)/debug/publish $(1) $(NOTES)
endef

# The tests and the program that they run, built with the address and with the thread sanitizer. Needs root.
test-address test-thread: NOTES = $(CURDIR)/$(BUILD)/$(@:test-%=%)/notes
test-address test-thread: test-%: root build-packages test-packages consumers
	@mkdir -p $(BUILD)/$*
	SWIFT=$(SWIFT) Tests/Sanitizers/run $* $(CURDIR)/$(BUILD)/$* $(HEAVY)
	$(CONSUMERS)/bin/python Tests/Sanitizers/count.py $(BUILD)/$*/tests.xml > $(NOTES)
	$(call publish,$*Sanitizer)

# Both side by side: the tests wait for packets more than they compute.
test-sanitizers: root build-packages test-packages consumers
	$(MAKE) --jobs=2 --output-sync=target test-address test-thread

# Writes docs/benchmarks.md. Needs root and a quiet machine.
bench: build test-packages
	$(SWIFT) build -c release --product bench
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(BUILD)/release/bench docs/benchmarks.md

# Feeds every parser of texts from elsewhere with what libFuzzer thinks of, beginning with the kept seeds, several parsers
# at a time. An input that ends one badly is left in .build/fuzz, and its name printed.
fuzz: build-packages
	ECS_NETSETUP_FUZZ=1 $(SWIFT) build -c release --scratch-path $(FUZZ) --product fuzz \
		-Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld
	@rm -f $(NOTES)
	@FUZZ_TARGET=list $(FUZZ)/release/fuzz | ECS_NETSETUP_NOTES=$(NOTES) xargs -P "$$(nproc)" -I{} \
		Tests/Fuzz/run {} $(FUZZ) $(FUZZ_SECONDS)
	$(if $(filter $(USUAL_FUZZ_SECONDS),$(FUZZ_SECONDS)),$(call publish,hostileTexts))

try: build test-packages
	$(SWIFT) build --product try
	@ECS_NETSETUP=$(CURDIR)/$(PROGRAM) $(BUILD)/debug/try

# The manual pages as the program prints them; they are committed, and the tests compare.
man: build-packages
	$(SWIFT) build --product ecs-netsetup
	$(BUILD)/debug/ecs-netsetup generate man 8 > man/ecs-netsetup.8
	$(BUILD)/debug/ecs-netsetup generate man 5 > man/ecs-netsetup.conf.5

SHARE = $(DESTDIR)$(PREFIX)/share

# What the program's own texts point to, and the examples that these point to.
GUIDES := README.md SECURITY.md $(wildcard docs/*.md docs/*.json docs/decisions/*.md packaging/cloud-init/*)

install:
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/ecs-netsetup
	install -D -m 644 man/ecs-netsetup.8 $(SHARE)/man/man8/ecs-netsetup.8
	install -D -m 644 man/ecs-netsetup.conf.5 $(SHARE)/man/man5/ecs-netsetup.conf.5
	for guide in $(GUIDES); do install -D -m 644 $$guide $(SHARE)/doc/ecs-netsetup/$$guide || exit 1; done
	$(call print,completion bash,$(SHARE)/bash-completion/completions/ecs-netsetup)
	$(call print,completion zsh,$(SHARE)/zsh/site-functions/_ecs-netsetup)
	$(call print,completion fish,$(SHARE)/fish/vendor_completions.d/ecs-netsetup.fish)

# With the unit, for packages: apply then enables that, and writes none.
install-unit: install
	$(call print,unit --root $(or $(DESTDIR),/),$(DESTDIR)$(PREFIX)/lib/systemd/system/ecs-netsetup.service)

# Prints what the installed program generates into a file that everybody may read, whatever the umask.
define print
	install -D -m 644 /dev/null $(2)
	$(DESTDIR)$(PREFIX)/sbin/ecs-netsetup generate $(1) > $(2)
endef

# Packages in .build/packages. docs/packages.md tells what is in them and where they run.
deb: build packaging-packages
	packaging/debian/build $(VERSION) $(PACKAGES)
	@ls $(PACKAGES)/ecs-netsetup_$(VERSION)_*.deb

rpm: build packaging-packages
	packaging/rpm/build $(VERSION) $(PACKAGES)
	@ls $(PACKAGES)/ecs-netsetup-$(VERSION)-*.rpm

dist: build packaging-packages
	packaging/tarball/build $(VERSION) $(PACKAGES)
	@ls $(PACKAGES)/ecs-netsetup-$(VERSION)-*.tar.gz

# The packages in clean roots, in namespaces of the tests' own. Everything is built a second time, in another folder and
# with another umask, to see that the bytes are the same. Needs root.
AGAIN := $(BUILD)/again/in-a-folder-of-another-length
test-packaging: root test-packages packaging-test-packages $(ROOTS)/debian/etc/os-release deb rpm dist
	rm -rf $(BUILD)/again
	mkdir -p $(AGAIN)
	cp -r Makefile Package.swift *.md LICENSE Sources Tests docs packaging man $(AGAIN)
	umask 077 && $(MAKE) -C $(AGAIN) deb rpm dist
	ECS_NETSETUP=$(CURDIR)/$(PROGRAM) ECS_NETSETUP_AGAIN=$(CURDIR)/$(AGAIN) $(SWIFT) test --filter PackagingTests

# A Debian system as small as it gets, with systemd's tools, from where this machine's own packages come. The libraries that
# the package depends on are downloaded and not installed, as the tests have no network.
$(ROOTS)/debian/etc/os-release:
	rm -rf $(ROOTS)/debian
	@mkdir -p $(ROOTS)
	mmdebstrap --quiet --mode=root --variant=minbase --include=systemd --skip=cleanup/apt \
		--customize-hook='chroot "$$1" apt-get install -qq --download-only libip4tc2 libip6tc2 libmnl0 libnftnl11' \
		"$$(. /etc/os-release && echo $$VERSION_CODENAME)" $(ROOTS)/debian \
		$(firstword $(wildcard /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list))

clean:
	rm -rf $(BUILD)

# Installs Debian packages that are missing, and says so.
define need
	@missing=""; for package in $(1); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" != 0 ]; then echo "missing packages:$$missing; run: sudo apt-get install$$missing" >&2; exit 1; fi; \
		echo "installing missing packages:$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qq -y \
			--no-install-recommends $$missing; \
	fi
endef

# Without root, those tests that need it would all be skipped, and none would fail.
root:
	@[ "$$(id -u)" = 0 ] || { echo "$(MAKECMDGOALS) needs root: sudo make $(MAKECMDGOALS)" >&2; exit 1; }

build-packages:
	$(call need,$(BUILD_PACKAGES))

test-packages:
	$(call need,$(TEST_PACKAGES))

packaging-packages:
	$(call need,$(PACKAGING_PACKAGES))

packaging-test-packages:
	$(call need,$(PACKAGING_TEST_PACKAGES))

# Others' readers of what the program writes, in a Python environment of their own. Debian's packages of promtool and
# cloud-init are unpacked and not installed, so that no service comes with them.
consumers: test-packages $(CONSUMERS)/ready

# Into a folder that apt's own user may not write to.
DOWNLOAD := apt-get -o APT::Sandbox::User=root download -qq

# The engine's programs alone, so that no service comes with them, and what they are linked with.
DOCKER_PACKAGES := docker.io containerd runc
DOCKER_LIBRARIES := libdevmapper1.02.1 libseccomp2 libsystemd0

$(DOCKER)/ready:
	rm -rf $(DOCKER)
	mkdir -p $(DOCKER)
	cd $(DOCKER) && { $(DOWNLOAD) $(DOCKER_PACKAGES) || { apt-get update -qq && $(DOWNLOAD) $(DOCKER_PACKAGES); }; } \
		&& for package in *.deb; do \
			dpkg-deb --fsys-tarfile $$package | tar -x --wildcards './usr/*bin/*' || exit 1; \
		done && rm *.deb
	touch $@

$(CONSUMERS)/ready: Tests/Consumers/requirements.txt
	rm -rf $(CONSUMERS)
	python3 -m venv $(CONSUMERS)
	$(CONSUMERS)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	cd $(CONSUMERS) && { $(DOWNLOAD) prometheus || { apt-get update -qq && $(DOWNLOAD) prometheus; }; } \
		&& dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 -C bin ./usr/bin/promtool \
		&& rm prometheus_*.deb
	cd $(CONSUMERS) && $(DOWNLOAD) cloud-init && dpkg-deb -x cloud-init_*.deb cloud-init && rm cloud-init_*.deb
	touch $@

# Ansible and the AWS command line, in a Python environment of their own.
fleet-tools: test-packages $(FLEET)/ready

$(FLEET)/ready: Tests/FleetTests/requirements.txt
	rm -rf $(FLEET)
	python3 -m venv $(FLEET)
	$(FLEET)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	touch $@

# Ansible keeps what it knows of the role below .build, and its own programs come first.
LINT_ROLE := cd packaging/ansible && PATH="$(CURDIR)/$(FLEET)/bin:$$PATH" ANSIBLE_HOME="$(CURDIR)/$(FLEET)/home" \
	LC_ALL=C.UTF-8 ansible-lint --offline --strict -q .
