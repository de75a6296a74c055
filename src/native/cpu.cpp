#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vecphe {

#if defined(__x86_64__)

namespace {

struct Place {
    const char* name;
    unsigned leaf;
    unsigned (*word)(const unsigned (&registers)[4]);
    int bit;
    unsigned state;  // bits of XCR0: what the system has to save
};

constexpr unsigned kAvxState = 0x06, kAvx512State = 0xe6;  // SSE, AVX; opmask, upper halves, upper registers as well

unsigned ebx(const unsigned (&registers)[4]) { return registers[1]; }
unsigned ecx(const unsigned (&registers)[4]) { return registers[2]; }

Place place_of(Feature feature) {
    switch (feature) {
        case Feature::kAvx2:
            return {"AVX2", 7, ebx, 5, kAvxState};
        case Feature::kFma:
            return {"FMA", 1, ecx, 12, kAvxState};
        case Feature::kAvx512f:
            return {"AVX-512 F", 7, ebx, 16, kAvx512State};
        case Feature::kAvx512dq:
            return {"AVX-512 DQ", 7, ebx, 17, kAvx512State};
        case Feature::kAvx512ifma:
            return {"AVX-512 IFMA", 7, ebx, 21, kAvx512State};
        case Feature::kAvx512vl:
            return {"AVX-512 VL", 7, ebx, 31, kAvx512State};
    }
    __builtin_unreachable();
}

bool has(unsigned leaf, unsigned (*word)(const unsigned (&)[4]), int bit) {
    unsigned r[4];
    return __get_cpuid_count(leaf, 0, &r[0], &r[1], &r[2], &r[3]) && (word(r) >> bit & 1);
}

// XCR0, where the system lets programs read it.
unsigned saved_state() {
    if (!has(1, ecx, 27)) return 0;  // OSXSAVE
    unsigned low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

}  // namespace

std::string missing(std::initializer_list<Feature> needed) {
    for (const Feature feature : needed) {
        const Place place = place_of(feature);
        if (!has(place.leaf, place.word, place.bit)) return std::string("the CPU has no ") + place.name;
        if ((saved_state() & place.state) != place.state)
            return std::string("the operating system does not enable ") + place.name;
    }
    return "";
}

#else

std::string missing(std::initializer_list<Feature>) { return "the CPU is no x86-64"; }

#endif

}  // namespace vecphe
