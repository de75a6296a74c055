// The floating-point environment of kernels that compute with doubles: on x86-64 the register MXCSR.
#pragma once

#include <cstdint>

namespace vecphe {

// Rounds toward zero, masks every exception and takes denormals as they are. However its scope is left, the caller's
// mode, masks, flags and denormal settings are back: this one register holds them all. The compiler cannot look into
// the assembly, which may touch any memory, so what is read from memory and written to memory in the scope stays in it.
class RoundTowardZero {
public:
    RoundTowardZero() : callers_(read()) { write(kTowardZero); }
    RoundTowardZero(const RoundTowardZero&) = delete;
    RoundTowardZero& operator=(const RoundTowardZero&) = delete;
    ~RoundTowardZero() { write(callers_); }

    // Whether this thread computes so now.
    static bool holds() { return (read() & ~kFlags) == kTowardZero; }

private:
    static constexpr std::uint32_t kTowardZero = 0x7f80, kFlags = 0x3f;

    static std::uint32_t read() {
        std::uint32_t word;
        __asm__ __volatile__("stmxcsr %0" : "=m"(word) : : "memory");
        return word;
    }
    static void write(std::uint32_t word) { __asm__ __volatile__("ldmxcsr %0" : : "m"(word) : "memory"); }

    std::uint32_t callers_;
};

}  // namespace vecphe
