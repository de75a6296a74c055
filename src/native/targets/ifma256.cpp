#include "targets.h"

#include "../generic/target.h"
#include "../vec_ifma256.h"

namespace vecphe {

const Kernels* few_lanes_ifma(int k) { return kernels_for<Ifma256, kFewLanes>(k); }

const Target kIfma256 = {"ifma256", Ifma256::lanes, kernels_for<Ifma256>, few_lanes_ifma};

}  // namespace vecphe
