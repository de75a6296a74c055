// Products of limbs by double-precision FMA, for vector types without integer multiply-adds of 52 bits. With a, b
// integers below 2^52, which doubles hold exactly, and rounding toward zero:
//     h = fma(a, b, 2^104)              bits(h) = bits(2^104) + floor(a*b / 2^52)
//     l = fma(a, b, 2^104 + 2^52 - h)   bits(l) = bits(2^52) + (a*b mod 2^52)
// since the doubles from 2^104 to 2^105 are 2^52 apart, and those from 2^52 to 2^53 are 1 apart. All but h is exact.
// The bits of 2^104 and 2^52 are added up with the halves and taken off once an accumulator: V::settled.
#pragma once

#include <cstdint>

#include "kernel.h"
#include "rounding.h"

#if defined(VECPHE_VERIFY)
#include <cstdio>
#include <cstdlib>
#endif

namespace vecphe {

// L: lanes of words, as kernel.h lists them, that are doubles as well: Real, real(Reg), bits(Real), minus(a, b),
// fused(a, b, c) = a*b + c.
template <class L>
struct Fused : L {
    using Reg = typename L::Reg;
    using Factor = typename L::Real;
    using Environment = RoundTowardZero;
    static constexpr bool converted = true;

    static Factor factor(Reg limb) { return above(L::real(L::bor(limb, L::set1(kTwo52)))); }
    static Factor low_factor(Reg acc) { return factor(L::band(acc, L::set1(kLimbMask))); }
    static Reg limb_of(Factor x) { return L::sub(L::bits(L::minus(x, constant(kTwo52 | kSign))), L::set1(kTwo52)); }
    static Factor load_factor(const std::uint64_t* p) { return L::real(L::load(p)); }
    static void store_factor(std::uint64_t* p, Factor x) { L::store(p, L::bits(x)); }
    static Factor low_product(Factor a, Factor b) {
        return L::fused(a, b, L::minus(constant(kTwo104), high_half(a, b)));  // exact, and no bits of 2^52 with it
    }
    static Reg add_high(Reg acc, Factor a, Factor b) { return L::add(acc, L::bits(high_half(a, b))); }
    static Reg add_low(Reg acc, Factor a, Factor b) { return L::add(acc, L::bits(low_half(a, b, high_half(a, b)))); }
    static void multiply_add(Reg& low, Reg& high, Factor a, Factor b) {
        const Factor h = high_half(a, b), l = low_half(a, b, h);
        low = L::add(low, L::bits(l));
        high = L::add(high, L::bits(h));
    }
    static Reg settled(Reg acc, int lows, int highs) {
        return L::sub(acc,
                      L::set1(static_cast<std::uint64_t>(lows) * kTwo52 + static_cast<std::uint64_t>(highs) * kTwo104));
    }
    static void opaque(Factor& x) {
#if defined(__aarch64__)
        __asm__("" : "+w"(x));
#else
        __asm__("" : "+v"(x));
#endif
    }

private:
    static constexpr std::uint64_t kTwo52 = 0x433ull << 52, kTwo104 = 0x467ull << 52, kSign = 1ull << 63;  // as doubles

    static Factor constant(std::uint64_t bits) { return L::real(L::set1(bits)); }
    // x - 2^52, a limb
    static Factor above(Factor x) { return L::minus(x, constant(kTwo52)); }
    static Factor high_half(Factor a, Factor b) {
        verify_factor(a);
        verify_factor(b);
        return L::fused(a, b, constant(kTwo104));
    }
    static Factor low_half(Factor a, Factor b, Factor high) {
        return L::fused(a, b, L::minus(constant(kTwo104 + 1), high));
    }

#if defined(VECPHE_VERIFY)
    // Stops unless x holds integers in [0, 2^52), none of which is a NaN, infinite or denormal, in the environment that
    // the products of such numbers need.
    static void verify_factor(Factor x) {
        const Reg limb = limb_of(x);
        alignas(64) std::uint64_t wrong[kLanes];
        L::store(wrong, L::bor(L::sub(L::bits(factor(limb)), L::bits(x)), L::band(limb, L::set1(~kLimbMask))));
        std::uint64_t any = !RoundTowardZero::holds();
        for (int lane = 0; lane < L::lanes; lane++) any |= wrong[lane];
        if (!any) return;
        std::fprintf(stderr, "vecphe: a factor is no limb, or is not rounded toward zero\n");
        std::abort();
    }
#else
    static void verify_factor(Factor) {}
#endif
};

}  // namespace vecphe
