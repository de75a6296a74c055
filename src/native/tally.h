// What the kernels did, counted where it is done, in lanes: once per call of a kernel, and multiply-adds once per block
// of rows, from the lengths of its loops. A few additions to memory against hundreds of multiply-adds. Nothing counted
// depends on a secret: every count follows from the public sizes that the instruction stream follows from.
#pragma once

#include <cstdint>

#include "thread_local.h"

namespace vecphe {

struct Tally {
    std::uint64_t products = 0;       // of pairs
    std::uint64_t squares = 0;        // of pairs
    std::uint64_t delayed = 0;        // delayed products, of two coordinates or of two pairs
    std::uint64_t montgomeries = 0;   // products modulo N
    std::uint64_t reductions = 0;     // of double coordinates to pairs
    std::uint64_t looked_up = 0;      // words of tables that selections read
    std::uint64_t multiply_adds = 0;  // 52-bit multiply-adds, low and high halves apart
};

// Zero-initialised and of trivial type, so that no access has to ask whether it was constructed.
inline thread_local VECPHE_TLS_MODEL Tally tally{};

}  // namespace vecphe
