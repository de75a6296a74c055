// Vector operations on 8 lanes: AVX-512 F, DQ and IFMA.
#pragma once

#include "integers.h"
#include "vec_avx512.h"

namespace vecphe {

struct MultiplyAdds512 : Avx512 {
    static constexpr int rows = 10;

    static Reg add_low(Reg acc, Reg a, Reg b) { return _mm512_madd52lo_epu64(acc, a, b); }
    static Reg add_high(Reg acc, Reg a, Reg b) { return _mm512_madd52hi_epu64(acc, a, b); }
};

using Ifma512 = Integers<MultiplyAdds512>;

}  // namespace vecphe
