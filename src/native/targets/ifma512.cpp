#include "../cpu.h"
#include "../generic/target.h"
#include "../vec_ifma512.h"

namespace vecphe::compiled {

extern const Target ifma256;

// A 256-bit operation does four lanes at once.
extern const Target ifma512;
const Target ifma512 = {
    "ifma512",
    Ifma512::lanes,
    [] { return missing({Feature::kAvx512ifma, Feature::kAvx512f, Feature::kAvx512dq, Feature::kAvx512vl}); },
    kernels_for<Ifma512>,
    [](int k) { return ifma256.few(k); },
    peak_of<Ifma512>,
};

}  // namespace vecphe::compiled
