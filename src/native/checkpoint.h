// Where long work can be stopped. Kernels and loops over memory say how much they are about to do; now and then, and
// never more often than every kRest, what the caller has installed is asked, and may throw. Constant time: what is said
// follows from public sizes.
#pragma once

#include <cstdint>

#include "thread_local.h"

namespace vecphe {

// Multiply-adds, or words read, between two looks at the clock: a third of a millisecond on the slowest target, and
// less than a thousandth of the time on the fastest.
constexpr std::int64_t kBetweenLooks = std::int64_t{1} << 20;

inline thread_local VECPHE_TLS_MODEL std::int64_t until_look = kBetweenLooks;

// What is asked from here on, in all threads; it may throw, or be null.
void ask_at_checkpoints(void (*stop)());

void look_at_clock();

// Before `work` multiply-adds, or words read.
inline void checkpoint(std::int64_t work) {
    until_look -= work;
    if (until_look < 0) look_at_clock();
}

}  // namespace vecphe
