// Vector operations on 4 lanes: AVX2, with products by FMA.
#pragma once

#include "fused.h"
#include "vec_avx2.h"

namespace vecphe {

struct Doubles256 : Avx2 {
    using Real = __m256d;
    using Mask = __m256i;  // all ones or all zeros in a lane
    static constexpr int block = 4;
    static constexpr int rows = 5;  // with 10, whose registers spill, products take 1.3 times as long

    static Reg bor3(Reg a, Reg b, Reg c) { return bor(bor(a, b), c); }
    // AVX2 shifts no signs in: x + 2^63 is not negative, and 2^63 / 2^52 goes off again.
    static Reg sra52(Reg a) {
        return sub(_mm256_srli_epi64(_mm256_xor_si256(a, set1(std::uint64_t{1} << 63)), 52), set1(2048));
    }
    static Mask equal(Reg a, Reg b) { return _mm256_cmpeq_epi64(a, b); }
    static Mask negative(Reg a) { return _mm256_cmpgt_epi64(zero(), a); }
    static Reg blend(Mask m, Reg a, Reg b) { return _mm256_blendv_epi8(a, b, m); }
    static Reg block_of(Reg digit) { return _mm256_srli_epi64(digit, 2); }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg digit) {
        // The halves 2d and 2d + 1 of the words; the permutation asks for the low three bits only.
        const Reg even = add(digit, digit);
        const Reg halves = add(bor(even, _mm256_slli_epi64(even, 32)), set1(std::uint64_t{1} << 32));
        return band(m, _mm256_permutevar8x32_epi32(load(p), halves));
    }

    static Real real(Reg bits) { return _mm256_castsi256_pd(bits); }
    static Reg bits(Real x) { return _mm256_castpd_si256(x); }
    static Real minus(Real a, Real b) { return _mm256_sub_pd(a, b); }
    static Real fused(Real a, Real b, Real c) { return _mm256_fmadd_pd(a, b, c); }
};

using Fma256 = Fused<Doubles256>;

}  // namespace vecphe
