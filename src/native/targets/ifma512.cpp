#include "targets.h"

#include "../generic/target.h"
#include "../vec_ifma512.h"

namespace vecphe {

const Target kIfma512 = {"ifma512", Ifma512::lanes, kernels_for<Ifma512>, few_lanes_ifma};

}  // namespace vecphe
