// What the targets of 512-bit registers share: 8 lanes of AVX-512 F and DQ. Products are their own.
#pragma once

#include <immintrin.h>

#include "kernel.h"

namespace vecphe {

struct Avx512 {
    using Reg = __m512i;
    using Mask = __mmask8;
    static constexpr int lanes = 8;
    static constexpr int block = 16;

    static Reg zero() { return _mm512_setzero_si512(); }
    static Reg set1(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
    static Reg load(const std::uint64_t* p) { return _mm512_load_si512(p); }
    static void store(std::uint64_t* p, Reg x) { _mm512_store_si512(p, x); }
    static Reg add(Reg a, Reg b) { return _mm512_add_epi64(a, b); }
    static Reg sub(Reg a, Reg b) { return _mm512_sub_epi64(a, b); }
    static Reg band(Reg a, Reg b) { return _mm512_and_si512(a, b); }
    static Reg sra52(Reg a) { return _mm512_srai_epi64(a, 52); }
    static Mask equal(Reg a, Reg b) { return _mm512_cmpeq_epi64_mask(a, b); }
    static Mask negative(Reg a) { return _mm512_movepi64_mask(a); }
    static Reg blend(Mask m, Reg a, Reg b) { return _mm512_mask_mov_epi64(a, m, b); }
    static Reg block_of(Reg digit) { return _mm512_srli_epi64(digit, 4); }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg digit) {
        return _mm512_maskz_permutex2var_epi64(m, load(p), digit, load(p + 8));
    }
    static Reg bor(Reg a, Reg b) { return _mm512_or_si512(a, b); }
    static Reg bor3(Reg a, Reg b, Reg c) {
#if defined(__clang__)
        return a | b | c;  // becomes one instruction, and MemorySanitizer can follow it
#else
        return _mm512_ternarylogic_epi64(a, b, c, 0xfe);
#endif
    }
};

}  // namespace vecphe
