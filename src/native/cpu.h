// What the CPU offers and the operating system saves on a context switch.
#pragma once

namespace vecphe {

struct CpuFeatures {
    bool avx512_state;  // XCR0: the system saves opmasks and all of the 512-bit registers
    bool avx512f, avx512dq, avx512vl, avx512ifma;
};

CpuFeatures cpu_features();

}  // namespace vecphe
