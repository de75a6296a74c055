#include "targets.h"

#include "../generic/target.h"
#include "../vec_portable.h"

namespace vecphe {

// One lane needs no compiled-in lengths: the generic path is as fast.
const Target kPortable = {
    "portable",
    Portable::lanes,
    [](int) { return &Generic<Portable, 0>::kernels; },
    [](int) { return &Generic<Portable, 0, kFewLanes>::kernels; },
};

}  // namespace vecphe
