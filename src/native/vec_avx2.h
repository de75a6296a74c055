// What the targets of 256-bit registers share: 4 lanes of AVX2. Masks and products are their own.
#pragma once

#include <immintrin.h>

#include "kernel.h"

namespace vecphe {

struct Avx2 {
    using Reg = __m256i;
    static constexpr int lanes = 4;

    static Reg zero() { return _mm256_setzero_si256(); }
    static Reg set1(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
    static Reg load(const std::uint64_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
    static void store(std::uint64_t* p, Reg x) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), x); }
    static Reg add(Reg a, Reg b) { return _mm256_add_epi64(a, b); }
    static Reg sub(Reg a, Reg b) { return _mm256_sub_epi64(a, b); }
    static Reg band(Reg a, Reg b) { return _mm256_and_si256(a, b); }
    static Reg bor(Reg a, Reg b) { return _mm256_or_si256(a, b); }
};

}  // namespace vecphe
