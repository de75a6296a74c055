// Products of limbs by integer multiply-adds of 52 bits: a factor is a limb as it stands. fused.h is for the others.
#pragma once

#include "kernel.h"

namespace vecphe {

// L: lanes of words, as kernel.h lists them, with add_low and add_high, which take the low 52 bits of each factor.
template <class L>
struct Integers : L {
    using Reg = typename L::Reg;
    using Factor = Reg;
    using Environment = AnyEnvironment;
    static constexpr bool converted = false;

    static Factor factor(Reg limb) { return limb; }
    static Factor low_factor(Reg acc) { return acc; }
    static Reg limb_of(Factor x) { return x; }
    static Factor load_factor(const std::uint64_t* p) { return L::load(p); }
    static void store_factor(std::uint64_t* p, Factor x) { L::store(p, x); }
    static Factor low_product(Factor a, Factor b) { return L::add_low(L::zero(), a, b); }
    static void multiply_add(Reg& low, Reg& high, Factor a, Factor b) {
        low = L::add_low(low, a, b);
        high = L::add_high(high, a, b);
    }
    static Reg settled(Reg acc, int, int) { return acc; }
    static void opaque(Factor&) {}
};

}  // namespace vecphe
