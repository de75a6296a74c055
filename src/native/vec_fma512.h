// Vector operations on 8 lanes: AVX-512 F and DQ, with products by FMA.
#pragma once

#include "fused.h"
#include "vec_avx512.h"

namespace vecphe {

struct Doubles512 : Avx512 {
    using Real = __m512d;
    static constexpr int rows = 5;  // with 10, whose registers spill, products take 1.4 times as long

    static Real real(Reg bits) { return _mm512_castsi512_pd(bits); }
    static Reg bits(Real x) { return _mm512_castpd_si512(x); }
    static Real minus(Real a, Real b) { return _mm512_sub_pd(a, b); }
    static Real fused(Real a, Real b, Real c) { return _mm512_fmadd_pd(a, b, c); }
};

using Fma512 = Fused<Doubles512>;

}  // namespace vecphe
