# make check-native: bounds, sanitizers, constant time and fuzzing of the native kernel. Include from the Makefile.
#
#   CHECK_PYTHON interpreter with the test dependencies and nanobind
#   CLANG        clang++ with its runtime libraries (Debian: clang-14, libclang-rt-14-dev); also needed: libgmp-dev, valgrind
#   FUZZ_SECONDS time for the fuzzer
#   AARCH64_CXX, QEMU  cross compiler and emulator (Debian: g++-aarch64-linux-gnu, qemu-user)

CHECK_PYTHON ?= python3
CLANG ?= clang++-14
FUZZ_SECONDS ?= 60
AARCH64_CXX ?= aarch64-linux-gnu-g++
QEMU ?= qemu-aarch64
CHECK_DIR ?= build/check

comma := ,
NATIVE := src/native
# Names, kinds of CPUs and instruction sets of the targets stand in CMakeLists.txt.
open := (
targets_of = $(shell sed -n 's/^vecphe_target$(open)\([a-z0-9]*\) \($${$(1)}\|"\."\).*/\1/p' $(NATIVE)/CMakeLists.txt)
target_flags = $(shell sed -n 's/^vecphe_target$(open)$(1) //p' $(NATIVE)/CMakeLists.txt | grep -oE -- '-[mf][a-z0-9-]+')
gnu_flags = $(shell sed -n 's/^ *set$(open)gnu//p' $(NATIVE)/CMakeLists.txt | grep -oE -- '-[Wf][a-z0-9-]+')
HERE := $(shell uname -m)
TARGETS := $(call targets_of,$(HERE))
checked = checkpoint cpu decryptor dispatch fixed_base power ring $(patsubst %,targets/%,$(call targets_of,$(1)))
CHECK_FLAGS := -std=c++17 -O1 -g -fno-omit-frame-pointer
HEADERS := $(wildcard $(NATIVE)/*.h $(NATIVE)/generic/*.h $(NATIVE)/targets/*.h $(NATIVE)/check/*.h)

.PHONY: check-native check-requirements check-verify check-sanitizers check-constant-time check-constant-time-msan \
	check-constant-time-valgrind check-fuzz check-aarch64 check-aarch64-emulated \
	check-aarch64-shipped check-aarch64-clang check-aarch64-verify check-aarch64-nearest \
	check-compilers check-compilers-here
check-native: check-requirements check-verify check-sanitizers check-constant-time check-fuzz check-aarch64 check-compilers

# First of all, and all that is missing at once: the checks take minutes.
check-requirements:
	@missing=; for program in $(CLANG) valgrind $(firstword $(CXX)); do \
		command -v $$program > /dev/null || missing="$$missing $$program"; done; \
	echo '#include <gmp.h>' | $(CXX) -x c++ -E - > /dev/null 2>&1 || missing="$$missing gmp.h"; \
	echo 'int main() {}' | $(CLANG) -x c++ -fsanitize=address,fuzzer-no-link - -o /dev/null 2> /dev/null || \
		missing="$$missing runtime-libraries-of-$(CLANG)"; \
	if [ -n "$$missing" ]; then echo "make check-native needs what is not here:$$missing" >&2; \
		echo "On Debian: apt install clang-14 libclang-rt-14-dev libgmp-dev valgrind; CLANG=... names another Clang" >&2; \
		exit 1; fi
check-verify check-sanitizers check-constant-time check-fuzz check-aarch64 check-compilers: | \
	$(if $(filter check-native,$(MAKECMDGOALS)),check-requirements)

# Checks as calls: inline they make the unrolled kernels take minutes to compile. Pointer overflow, null and alignment
# are found by the address checks, or by the aligned loads themselves.
ASAN := -fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-sanitize=pointer-overflow$(comma)null$(comma)alignment \
	-mllvm -asan-instrumentation-with-call-threshold=0

# One set of object files a sanitizer: $(1) name, $(2) compiler, $(3) flags, $(4) program, $(5) kind of CPU, $(6) what else
# to link. Programs are named by their path below src/native.
define checked_program
$(CHECK_DIR)/$(1)/%.o: $(NATIVE)/%.cpp $(HEADERS)
	@mkdir -p $$(@D)
	$(2) $(CHECK_FLAGS) '-DVECPHE_TARGETS=$(foreach target,$(call targets_of,$(5)),TARGET($(target)))' $(3) \
		$$(if $$(filter targets/%,$$*),$$(call target_flags,$$(notdir $$*))) -c $$< -o $$@
$(CHECK_DIR)/$(1)/program: $(patsubst %,$(CHECK_DIR)/$(1)/%.o,$(call checked,$(5)) $(4))
	$(2) $(filter -fsanitize% -O%,$(3)) $$^ $(6) -o $$@
endef
$(eval $(call checked_program,asan,$(CLANG),$(ASAN) -DVECPHE_VERIFY,check/exercise,$(HERE),-lgmp))
$(eval $(call checked_program,msan,$(CLANG),-fsanitize=memory -DVECPHE_CHECK_MSAN,check/constant_time,$(HERE),-lgmp))
$(eval $(call checked_program,fuzz,$(CLANG),-O2 -fsanitize=fuzzer -DVECPHE_VERIFY,check/fuzz,$(HERE),-lgmp))
$(eval $(call checked_program,valgrind,$(CXX),-O2 -DVECPHE_CHECK_VALGRIND,check/constant_time,$(HERE),-lgmp))

check-verify: | $(STAMP)
	cmake -S $(NATIVE) -B $(CHECK_DIR)/verify -DVECPHE_VERIFY=ON -DPython_EXECUTABLE=$$($(CHECK_PYTHON) -c 'import sys; print(sys.executable)') \
		-Dnanobind_DIR=$$($(CHECK_PYTHON) -m nanobind --cmake_dir)
	cmake --build $(CHECK_DIR)/verify -j2
	VECPHE_NATIVE_MODULE=$$(echo $(CURDIR)/$(CHECK_DIR)/verify/_native.*.so) $(CHECK_PYTHON) -m pytest -q tests/native

check-sanitizers: $(CHECK_DIR)/asan/program
	$(CHECK_DIR)/asan/program
	for target in $(filter fma% neon,$(TARGETS)); do for what in broken-operand broken-environment; do \
		if $< $$what $$target 2>/dev/null; then echo "$$target: $$what was not reported" >&2; exit 1; fi; done; done

CONSTANT_TIME := fixed-base plaintext power decrypt
LEAKY := leaky-branch leaky-address
check-constant-time: check-constant-time-msan check-constant-time-valgrind

# Every supported target, compiled-in and general limb counts.
check-constant-time-msan: $(CHECK_DIR)/msan/program
	for target in $$($(CHECK_DIR)/msan/program list targets); do \
		for what in $(CONSTANT_TIME); do $< $$target $$what || exit 1; done; done
	for what in $(LEAKY); do if $< portable $$what 2>/dev/null; then echo "$$what was not reported" >&2; exit 1; fi; done

# valgrind runs no AVX-512: the portable target only.
check-constant-time-valgrind: $(CHECK_DIR)/valgrind/program
	for what in $(CONSTANT_TIME); do valgrind -q --error-exitcode=9 $< portable $$what || exit 1; done
	for what in $(LEAKY); do if valgrind -q --error-exitcode=9 $< portable $$what >/dev/null 2>&1; then \
		echo "$$what was not reported" >&2; exit 1; fi; done

check-fuzz: $(CHECK_DIR)/fuzz/program
	$(CHECK_DIR)/fuzz/program -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=20 -print_final_stats=1

# AArch64: compiled here, run by an emulator. As it is shipped, for assertions keep compilers from much, by GCC and by Clang
# (macOS); with assertions, and their broken controls; and as shipped but for rounding to nearest, whose results are wrong.
ARM := $(CHECK_DIR)/aarch64
ARM_GMP := $(ARM)/gmp/usr
ARM_FLAGS := -isystem $(ARM_GMP)/include/aarch64-linux-gnu
ARM_LINK := -static $(ARM_GMP)/lib/aarch64-linux-gnu/libgmp.a
ARM_SHIPPED := -O3 $(gnu_flags)
EMULATED := timeout 1800 $(QEMU)

# Debian's package for the other CPU, unpacked; with lists and architecture of its own, apt leaves this system alone.
$(ARM_GMP):
	@rm -rf $(ARM)/apt && mkdir -p $(ARM)/apt/lists/partial $(ARM)/apt/cache
	@cd $(ARM)/apt && apt="apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=$$(id -un) \
		-o Dir::State::lists=$$PWD/lists -o Dir::Cache=$$PWD/cache" && $$apt update && $$apt download libgmp-dev
	@dpkg -x $(ARM)/apt/libgmp-dev_*.deb $(ARM)/gmp

$(eval $(call checked_program,aarch64/shipped,$(AARCH64_CXX),$(ARM_SHIPPED) $(ARM_FLAGS),check/exercise,aarch64,$(ARM_LINK)))
$(eval $(call checked_program,aarch64/clang,$(CLANG) --target=aarch64-linux-gnu,-O3 $(ARM_FLAGS),check/exercise,aarch64,$(ARM_LINK)))
$(eval $(call checked_program,aarch64/verify,$(AARCH64_CXX),-O2 $(ARM_FLAGS) -DVECPHE_VERIFY,check/exercise,aarch64,$(ARM_LINK)))

$(ARM)/nearest/native/rounding.h: $(HEADERS) $(NATIVE)/targets/neon.cpp
	@rm -rf $(ARM)/nearest && mkdir -p $(ARM)/nearest && cp -r $(NATIVE) $(@D)
	@sed -i 's/{std::uint64_t{3} << 22, 0}/{0, 0}/' $@ && ! cmp -s $@ $(NATIVE)/rounding.h
$(ARM)/nearest/program: $(ARM)/nearest/native/rounding.h $(ARM)/shipped/program
	$(AARCH64_CXX) $(CHECK_FLAGS) $(ARM_SHIPPED) -c $(<D)/targets/neon.cpp -o $(@D)/neon.o
	$(AARCH64_CXX) $(@D)/neon.o $(patsubst %,$(ARM)/shipped/%.o,$(filter-out targets/neon,$(call checked,aarch64)) check/exercise) \
		$(ARM_LINK) -o $@

check-aarch64:
	@if [ $(HERE) = aarch64 ]; then echo "This is AArch64: the checks above have run neon."; \
	elif command -v $(AARCH64_CXX) > /dev/null && command -v $(QEMU) > /dev/null && $(MAKE) --no-print-directory $(ARM_GMP); then \
		$(MAKE) --no-print-directory -j2 check-aarch64-emulated; \
	else echo "!!!! THE AARCH64 KERNEL IS NOT CHECKED: g++-aarch64-linux-gnu, qemu-user and arm64's libgmp-dev are needed !!!!" >&2; fi

check-aarch64-shipped: $(ARM)/shipped/program
	$(EMULATED) $<
check-aarch64-clang: $(ARM)/clang/program
	$(EMULATED) $< neon
check-aarch64-verify: $(ARM)/verify/program
	$(EMULATED) $< neon
	$(EMULATED) $< broken-operand neon 2>&1 | grep "a factor is no limb"
	$(EMULATED) $< broken-environment neon 2>&1 | grep "another floating-point environment"
check-aarch64-nearest: $(ARM)/nearest/program
	$(EMULATED) $< neon 2>&1 | grep "wrong result"
check-aarch64-emulated: check-aarch64-shipped check-aarch64-clang check-aarch64-verify check-aarch64-nearest

# Other systems: compiled by the package ziglang, neither linked nor run. For macOS with the bindings, for which the headers
# of this machine's Python stand in, but without nanobind's own code; for Windows, whose headers are not here, without
# both, and for the interface of MinGW.
ZIG := build/zig/bin/python
ZIG_CXX := ZIG_GLOBAL_CACHE_DIR=build/zig/cache ZIG_LOCAL_CACHE_DIR=build/zig/cache timeout 900 $(ZIG) -m ziglang c++
BINDINGS := -isystem $$$$($(CHECK_PYTHON) -m nanobind --include_dir) \
	-isystem $$$$($(CHECK_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')

# The version stands in pyproject.toml. The stamp is written last, so an interrupted install starts over.
build/zig/.installed: pyproject.toml
	@$(PYTHON) -m venv --clear build/zig
	@$(ZIG) $(PIP_INSTALL) $$(grep -o 'ziglang==[0-9.]*' pyproject.toml)
	@touch $@

# $(1) name of the system and CPU, $(2) kind of CPU, $(3) flags, $(4) what there is besides the kernel.
compiled = $(call checked_program,$(1),$(ZIG_CXX) -target $(1),-Wall -Wextra -Werror $(3),$(4),$(2))
objects = $(patsubst %,$(CHECK_DIR)/$(1)/%.o,$(call checked,$(2)) $(3))
$(eval $(call compiled,aarch64-macos,aarch64,$(BINDINGS),bindings))
$(eval $(call compiled,x86_64-macos,x86_64,$(BINDINGS),bindings))
$(eval $(call compiled,x86_64-windows-gnu,x86_64))
check-compilers-here: $(call objects,aarch64-macos,aarch64,bindings) $(call objects,x86_64-macos,x86_64,bindings) \
	$(call objects,x86_64-windows-gnu,x86_64)
	@echo "compiled, not run: $(sort $(patsubst $(CHECK_DIR)/%/cpu.o,%,$(filter %/cpu.o,$^)))"

check-compilers: | $(STAMP)
	@if $(MAKE) --no-print-directory build/zig/.installed; then $(MAKE) --no-print-directory -j2 check-compilers-here; \
	else echo "!!!! THE KERNEL IS NOT COMPILED FOR MACOS AND WINDOWS: ziglang could not be installed !!!!" >&2; fi
