// The floating-point environment of kernels that compute with doubles: on x86-64 the register MXCSR, on AArch64 FPCR
// and FPSR.
#pragma once

#include <cstdint>

namespace vecphe {

// The registers that hold rounding mode, masks or enabled traps, denormal settings and flags. The compiler cannot look
// into the assembly, which may touch any memory: what is computed from memory and written to memory between two of
// these calls stays there.
#if defined(__aarch64__)

struct FloatingPoint {
    std::uint64_t control, flags;  // FPCR, FPSR

    static FloatingPoint read() {
        FloatingPoint now;
        __asm__ __volatile__("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(now.control), "=r"(now.flags) : : "memory");
        return now;
    }
    void write() const { __asm__ __volatile__("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(control), "r"(flags) : "memory"); }
    static constexpr FloatingPoint toward_zero() { return {std::uint64_t{3} << 22, 0}; }
    bool rounds_as(const FloatingPoint& other) const { return control == other.control; }
};

#else

struct FloatingPoint {
    std::uint32_t mxcsr;

    static FloatingPoint read() {
        FloatingPoint now;
        __asm__ __volatile__("stmxcsr %0" : "=m"(now.mxcsr) : : "memory");
        return now;
    }
    void write() const { __asm__ __volatile__("ldmxcsr %0" : : "m"(mxcsr) : "memory"); }
    static constexpr FloatingPoint toward_zero() { return {0x7f80}; }
    bool rounds_as(const FloatingPoint& other) const { return ((mxcsr ^ other.mxcsr) & ~std::uint32_t{0x3f}) == 0; }
};

#endif

// Rounds toward zero, masks every exception and takes denormals as they are. However its scope is left, the caller's
// mode, masks, flags and denormal settings are back.
class RoundTowardZero {
public:
    RoundTowardZero() : callers_(FloatingPoint::read()) { FloatingPoint::toward_zero().write(); }
    RoundTowardZero(const RoundTowardZero&) = delete;
    RoundTowardZero& operator=(const RoundTowardZero&) = delete;
    ~RoundTowardZero() { callers_.write(); }

    // Whether this thread computes so now.
    static bool holds() { return FloatingPoint::read().rounds_as(FloatingPoint::toward_zero()); }

private:
    FloatingPoint callers_;
};

}  // namespace vecphe
