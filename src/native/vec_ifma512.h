// Vector operations on 8 lanes: AVX-512 F, DQ and IFMA.
#pragma once

#include "vec_avx512.h"

namespace vecphe {

struct Ifma512 : Avx512 {
    using Factor = Reg;
    using Environment = AnyEnvironment;
    static constexpr bool converted = false;
    static constexpr int rows = 10;

    static Factor factor(Reg limb) { return limb; }
    static Factor low_factor(Reg acc) { return acc; }
    static Reg limb_of(Factor x) { return x; }
    static Factor load_factor(const std::uint64_t* p) { return load(p); }
    static void store_factor(std::uint64_t* p, Factor x) { store(p, x); }
    static Factor low_product(Factor a, Factor b) { return add_low(zero(), a, b); }
    static Reg add_low(Reg acc, Factor a, Factor b) { return _mm512_madd52lo_epu64(acc, a, b); }
    static Reg add_high(Reg acc, Factor a, Factor b) { return _mm512_madd52hi_epu64(acc, a, b); }
    static void multiply_add(Reg& low, Reg& high, Factor a, Factor b) {
        low = add_low(low, a, b);
        high = add_high(high, a, b);
    }
    static Reg settled(Reg acc, int, int) { return acc; }
    static void opaque(Factor&) {}
};

}  // namespace vecphe
