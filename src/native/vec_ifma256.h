// Vector operations on 4 lanes: AVX-512 F, DQ, VL and IFMA on 256-bit registers.
#pragma once

#include "integers.h"
#include "vec_avx2.h"

namespace vecphe {

struct MultiplyAdds256 : Avx2 {
    using Mask = __mmask8;
    static constexpr int block = 8;
    static constexpr int rows = 10;

    static Reg sra52(Reg a) { return _mm256_srai_epi64(a, 52); }
    static Reg add_low(Reg acc, Reg a, Reg b) { return _mm256_madd52lo_epu64(acc, a, b); }
    static Reg add_high(Reg acc, Reg a, Reg b) { return _mm256_madd52hi_epu64(acc, a, b); }
    static Mask equal(Reg a, Reg b) { return _mm256_cmpeq_epi64_mask(a, b); }
    static Mask negative(Reg a) { return _mm256_movepi64_mask(a); }
    static Reg blend(Mask m, Reg a, Reg b) { return _mm256_mask_mov_epi64(a, m, b); }
    static Reg block_of(Reg digit) { return _mm256_srli_epi64(digit, 3); }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg digit) {
        return _mm256_maskz_permutex2var_epi64(m, load(p), digit, load(p + 4));
    }
    static Reg bor3(Reg a, Reg b, Reg c) {
#if defined(__clang__)
        return a | b | c;  // becomes one instruction, and MemorySanitizer can follow it
#else
        return _mm256_ternarylogic_epi64(a, b, c, 0xfe);
#endif
    }
};

using Ifma256 = Integers<MultiplyAdds256>;

}  // namespace vecphe
