// The targets that were compiled in.
#pragma once

#include "../kernel.h"

namespace vecphe {

const Kernels* few_lanes_ifma(int k);  // a 256-bit operation does four lanes at once

extern const Target kIfma512;
extern const Target kIfma256;
extern const Target kPortable;

}  // namespace vecphe
