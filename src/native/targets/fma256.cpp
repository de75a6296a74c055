#include "../cpu.h"
#include "../generic/target.h"
#include "../vec_fma256.h"

namespace vecphe::compiled {

extern const Target fma256;
const Target fma256 = {
    "fma256",
    Fma256::lanes,
    [] { return missing({Feature::kAvx2, Feature::kFma}); },
    kernels_for<Fma256>,
    kernels_for<Fma256, kFewLanes>,
    peak_of<Fma256>,
};

}  // namespace vecphe::compiled
