#include "../cpu.h"
#include "../generic/target.h"
#include "../vec_ifma256.h"

namespace vecphe::compiled {

extern const Target ifma256;
const Target ifma256 = {
    "ifma256",
    Ifma256::lanes,
    [] { return missing({Feature::kAvx512ifma, Feature::kAvx512f, Feature::kAvx512dq, Feature::kAvx512vl}); },
    kernels_for<Ifma256>,
    kernels_for<Ifma256, kFewLanes>,
    peak_of<Ifma256>,
};

}  // namespace vecphe::compiled
