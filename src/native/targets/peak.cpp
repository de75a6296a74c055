// The core's own multiply-add rate: what benchmarks hold the kernels against. Compiled with the flags of ifma512.cpp.
#include "peak.h"

#include <immintrin.h>

namespace vecphe {

// 16 independent chains hide the latency of the multiply-adds; nothing is loaded or stored.
std::uint64_t ifma512_multiply_add(std::uint64_t rounds) {
    __m512i sums[16];
    for (int i = 0; i < 16; i++) sums[i] = _mm512_set1_epi64(i);
    const __m512i x = _mm512_set1_epi64(0x7a3f1c5d2b9e1), y = _mm512_set1_epi64(0x3c6ef372fe94f);
    for (std::uint64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i += 2) {
            sums[i] = _mm512_madd52lo_epu64(sums[i], x, y);
            sums[i + 1] = _mm512_madd52hi_epu64(sums[i + 1], x, y);
        }
    }
    __m512i total = sums[0];
    for (int i = 1; i < 16; i++) total = _mm512_add_epi64(total, sums[i]);
    return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(total));
}

}  // namespace vecphe
