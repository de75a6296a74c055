#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vecphe {

#if defined(__x86_64__)

namespace {

bool bit(unsigned value, int index) { return (value >> index) & 1; }

unsigned extended_control_register() {
    unsigned low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

}  // namespace

CpuFeatures cpu_features() {
    CpuFeatures features{};
    unsigned a, b, c, d;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !bit(c, 27)) return features;  // OSXSAVE
    constexpr unsigned kState = 0xe6;  // SSE, AVX, opmask, upper halves, upper registers
    features.avx512_state = (extended_control_register() & kState) == kState;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
    features.avx512f = bit(b, 16);
    features.avx512dq = bit(b, 17);
    features.avx512ifma = bit(b, 21);
    features.avx512vl = bit(b, 31);
    return features;
}

#else

CpuFeatures cpu_features() { return CpuFeatures{}; }

#endif

}  // namespace vecphe
