# make check-native: bounds, sanitizers, constant time and fuzzing of the native kernel. Include from the Makefile.
#
#   CHECK_PYTHON interpreter with the test dependencies and nanobind
#   CLANG        clang++ with its runtime libraries (Debian: clang-14, libclang-rt-14-dev); also needed: libgmp-dev, valgrind
#   FUZZ_SECONDS time for the fuzzer

CHECK_PYTHON ?= python3
CLANG ?= clang++-14
FUZZ_SECONDS ?= 60
CHECK_DIR ?= build/check

comma := ,
NATIVE := src/native
# Names and instruction sets of the targets stand in CMakeLists.txt.
open := (
TARGETS := $(shell sed -n 's/^vecphe_target$(open)\([a-z0-9]*\) .*/\1/p' $(NATIVE)/CMakeLists.txt)
target_flags = $(shell sed -n 's/^vecphe_target$(open)$(1) //p' $(NATIVE)/CMakeLists.txt | grep -oE -- '-[mf][a-z0-9-]+')
CHECKED := checkpoint cpu decryptor dispatch fixed_base power ring $(TARGETS:%=targets/%)
CHECK_FLAGS := -std=c++17 -O1 -g -fno-omit-frame-pointer '-DVECPHE_TARGETS=$(foreach target,$(TARGETS),TARGET($(target)))'
HEADERS := $(wildcard $(NATIVE)/*.h $(NATIVE)/generic/*.h $(NATIVE)/targets/*.h $(NATIVE)/check/*.h)

.PHONY: check-native check-verify check-sanitizers check-constant-time check-constant-time-msan \
	check-constant-time-valgrind check-fuzz
check-native: check-verify check-sanitizers check-constant-time check-fuzz

# Checks as calls: inline they make the unrolled kernels take minutes to compile. Pointer overflow, null and alignment
# are found by the address checks, or by the aligned loads themselves.
ASAN := -fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-sanitize=pointer-overflow$(comma)null$(comma)alignment \
	-mllvm -asan-instrumentation-with-call-threshold=0

# One set of object files a sanitizer: $(1) name, $(2) compiler, $(3) flags, $(4) program.
define checked_program
$(CHECK_DIR)/$(1)/%.o: $(NATIVE)/%.cpp $(HEADERS)
	@mkdir -p $$(@D)
	$(2) $(CHECK_FLAGS) $(3) $$(if $$(filter targets/%,$$*),$$(call target_flags,$$(notdir $$*))) -c $$< -o $$@
$(CHECK_DIR)/$(1)/program: $(CHECKED:%=$(CHECK_DIR)/$(1)/%.o) $(CHECK_DIR)/$(1)/check/$(4).o
	$(2) $(filter -fsanitize% -O%,$(3)) $$^ -lgmp -o $$@
endef
$(eval $(call checked_program,asan,$(CLANG),$(ASAN) -DVECPHE_VERIFY,exercise))
$(eval $(call checked_program,msan,$(CLANG),-fsanitize=memory -DVECPHE_CHECK_MSAN,constant_time))
$(eval $(call checked_program,fuzz,$(CLANG),-O2 -fsanitize=fuzzer -DVECPHE_VERIFY,fuzz))
$(eval $(call checked_program,valgrind,$(CXX),-O2 -DVECPHE_CHECK_VALGRIND,constant_time))

check-verify: | $(STAMP)
	cmake -S $(NATIVE) -B $(CHECK_DIR)/verify -DVECPHE_VERIFY=ON -DPython_EXECUTABLE=$$($(CHECK_PYTHON) -c 'import sys; print(sys.executable)') \
		-Dnanobind_DIR=$$($(CHECK_PYTHON) -m nanobind --cmake_dir)
	cmake --build $(CHECK_DIR)/verify -j2
	VECPHE_NATIVE_MODULE=$$(echo $(CURDIR)/$(CHECK_DIR)/verify/_native.*.so) $(CHECK_PYTHON) -m pytest -q tests/native

check-sanitizers: $(CHECK_DIR)/asan/program
	$(CHECK_DIR)/asan/program
	for target in $(filter fma%,$(TARGETS)); do for what in broken-operand broken-environment; do \
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
