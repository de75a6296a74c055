// Bounds as executable assertions: the VERIFY build stops at the first operand outside the contract of kernel.h.
#pragma once

#include "../kernel.h"

#if defined(VECPHE_VERIFY)
#include <cstdio>
#include <cstdlib>
#endif

namespace vecphe {

#if defined(VECPHE_VERIFY)

// Stops unless every limb of the coordinate x is below 2^52 and, per lane, x < quarters/4 * N + slack; quarters = 0
// asks for the limbs only.
template <class V>
void verify(const Modulus& m, int k, const std::uint64_t* x, int quarters, int slack, const char* what) {
    for (int lane = 0; lane < V::lanes; lane++) {
        __extension__ __int128 difference = -4 * slack;
        for (int i = 0; i < k; i++) {
            const std::uint64_t limb = x[i * kLanes + lane];
            if (limb > kLimbMask) {
                std::fprintf(stderr, "vecphe: %s: limb %d of lane %d is out of bounds\n", what, i, lane);
                std::abort();
            }
            difference += static_cast<__int128>(limb) * 4;
            difference -= static_cast<__int128>(m.n[i * kLanes + lane]) * quarters;
            if (i + 1 < k) difference >>= kLimbBits;
        }
        if (quarters && difference >= 0) {
            std::fprintf(stderr, "vecphe: %s: lane %d is above %d/4 N + %d\n", what, lane, quarters, slack);
            std::abort();
        }
    }
}

#else

template <class V>
inline void verify(const Modulus&, int, const std::uint64_t*, int, int, const char*) {}

#endif

}  // namespace vecphe
