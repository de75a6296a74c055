// Vector operations on 2 lanes: Advanced SIMD of AArch64, with products by FMA.
#pragma once

#include <arm_neon.h>

#include "fused.h"

namespace vecphe {

struct Doubles128 {
    using Reg = uint64x2_t;
    using Real = float64x2_t;
    using Mask = uint64x2_t;  // all ones or all zeros in a lane
    static constexpr int lanes = 2;
    static constexpr int block = 2;
    static constexpr int rows = 5;  // 13 of 32 registers; how long products take was measured on no machine yet

    static Reg zero() { return vdupq_n_u64(0); }
    static Reg set1(std::uint64_t x) { return vdupq_n_u64(x); }
    static Reg load(const std::uint64_t* p) { return vld1q_u64(p); }
    static void store(std::uint64_t* p, Reg x) { vst1q_u64(p, x); }
    static Reg add(Reg a, Reg b) { return vaddq_u64(a, b); }
    static Reg sub(Reg a, Reg b) { return vsubq_u64(a, b); }
    static Reg band(Reg a, Reg b) { return vandq_u64(a, b); }
    static Reg bor(Reg a, Reg b) { return vorrq_u64(a, b); }
    static Reg bor3(Reg a, Reg b, Reg c) { return bor(bor(a, b), c); }
    static Reg sra52(Reg a) { return vreinterpretq_u64_s64(vshrq_n_s64(vreinterpretq_s64_u64(a), 52)); }
    static Mask equal(Reg a, Reg b) { return vceqq_u64(a, b); }
    static Mask negative(Reg a) { return vcltzq_s64(vreinterpretq_s64_u64(a)); }
    static Reg blend(Mask m, Reg a, Reg b) { return vbslq_u64(m, b, a); }
    static Reg block_of(Reg digit) { return vshrq_n_u64(digit, 1); }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg digit) {
        // The bytes of the first word, or of the second one.
        const Reg bytes = blend(vtstq_u64(digit, set1(1)), set1(0x0706050403020100), set1(0x0f0e0d0c0b0a0908));
        return band(m, vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(load(p)), vreinterpretq_u8_u64(bytes))));
    }

    static Real real(Reg bits) { return vreinterpretq_f64_u64(bits); }
    static Reg bits(Real x) { return vreinterpretq_u64_f64(x); }
    static Real minus(Real a, Real b) { return vsubq_f64(a, b); }
    static Real fused(Real a, Real b, Real c) { return vfmaq_f64(c, a, b); }
};

using Neon = Fused<Doubles128>;

}  // namespace vecphe
