// Vector operations on 4 lanes: AVX-512 F, DQ, VL and IFMA on 256-bit registers.
#pragma once

#include <immintrin.h>

#include "kernel.h"

namespace vecphe {

struct Ifma256 {
    using Reg = __m256i;
    using Mask = __mmask8;
    using Factor = Reg;
    using Environment = AnyEnvironment;
    static constexpr bool converted = false;
    static constexpr int lanes = 4;
    static constexpr int block = 8;
    static constexpr int rows = 10;

    static Reg zero() { return _mm256_setzero_si256(); }
    static Reg set1(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
    static Reg load(const std::uint64_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
    static void store(std::uint64_t* p, Reg x) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), x); }
    static Reg add(Reg a, Reg b) { return _mm256_add_epi64(a, b); }
    static Reg sub(Reg a, Reg b) { return _mm256_sub_epi64(a, b); }
    static Reg band(Reg a, Reg b) { return _mm256_and_si256(a, b); }
    static Reg sra52(Reg a) { return _mm256_srai_epi64(a, 52); }
    static Factor factor(Reg limb) { return limb; }
    static Factor low_factor(Reg acc) { return acc; }
    static Reg limb_of(Factor x) { return x; }
    static Factor load_factor(const std::uint64_t* p) { return load(p); }
    static void store_factor(std::uint64_t* p, Factor x) { store(p, x); }
    static Factor low_product(Factor a, Factor b) { return add_low(zero(), a, b); }
    static Reg add_low(Reg acc, Factor a, Factor b) { return _mm256_madd52lo_epu64(acc, a, b); }
    static Reg add_high(Reg acc, Factor a, Factor b) { return _mm256_madd52hi_epu64(acc, a, b); }
    static void multiply_add(Reg& low, Reg& high, Factor a, Factor b) {
        low = add_low(low, a, b);
        high = add_high(high, a, b);
    }
    static Reg settled(Reg acc, int, int) { return acc; }
    static void opaque(Factor&) {}
    static Mask equal(Reg a, Reg b) { return _mm256_cmpeq_epi64_mask(a, b); }
    static Mask negative(Reg a) { return _mm256_movepi64_mask(a); }
    static Reg blend(Mask m, Reg a, Reg b) { return _mm256_mask_mov_epi64(a, m, b); }
    static Reg block_of(Reg digit) { return _mm256_srli_epi64(digit, 3); }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg digit) {
        return _mm256_maskz_permutex2var_epi64(m, load(p), digit, load(p + 4));
    }
    static Reg bor(Reg a, Reg b) { return _mm256_or_si256(a, b); }
    static Reg bor3(Reg a, Reg b, Reg c) {
#if defined(__clang__)
        return a | b | c;  // becomes one instruction, and MemorySanitizer can follow it
#else
        return _mm256_ternarylogic_epi64(a, b, c, 0xfe);
#endif
    }
};

}  // namespace vecphe
