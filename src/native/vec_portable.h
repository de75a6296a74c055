// The same operations on one lane in standard integers: the differential partner of the vector targets, and what
// tools that do not know AVX-512 can check.
#pragma once

#include "integers.h"

namespace vecphe {

struct OneLane {
    using Reg = std::uint64_t;
    using Mask = std::uint64_t;  // all ones or all zeros
    static constexpr int lanes = 1;
    static constexpr int block = 1;
    static constexpr int rows = 0;  // one lane has no latency to hide: the general kernels are as fast
    __extension__ using Wide = unsigned __int128;

    static Reg zero() { return 0; }
    static Reg set1(std::uint64_t x) { return x; }
    static Reg load(const std::uint64_t* p) { return *p; }
    static void store(std::uint64_t* p, Reg x) { *p = x; }
    static Reg add(Reg a, Reg b) { return a + b; }
    static Reg sub(Reg a, Reg b) { return a - b; }
    static Reg band(Reg a, Reg b) { return a & b; }
    static Reg sra52(Reg a) { return (a >> 52) | (~((a >> 63) - 1) << 12); }
    static Reg add_low(Reg acc, Reg a, Reg b) { return acc + ((a & kLimbMask) * (b & kLimbMask) & kLimbMask); }
    static Reg add_high(Reg acc, Reg a, Reg b) {
        return acc + static_cast<Reg>((Wide{a & kLimbMask} * (b & kLimbMask)) >> kLimbBits);
    }
    static Mask equal(Reg a, Reg b) {
        const Reg d = a ^ b;
        return ((d | (0 - d)) >> 63) - 1;
    }
    static Mask negative(Reg a) { return ~((a >> 63) - 1); }
    static Reg blend(Mask m, Reg a, Reg b) { return (a & ~m) | (b & m); }
    static Reg block_of(Reg digit) { return digit; }
    static Reg pick_if(Mask m, const std::uint64_t* p, Reg) { return *p & m; }
    static Reg bor(Reg a, Reg b) { return a | b; }
    static Reg bor3(Reg a, Reg b, Reg c) { return a | b | c; }
};

using Portable = Integers<OneLane>;

}  // namespace vecphe
