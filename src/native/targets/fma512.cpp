#include "../cpu.h"
#include "../generic/target.h"
#include "../vec_fma512.h"

namespace vecphe::compiled {

extern const Target fma256;

// A 256-bit operation does four lanes at once.
extern const Target fma512;
const Target fma512 = {
    "fma512",
    Fma512::lanes,
    [] { return missing({Feature::kAvx512f, Feature::kAvx512dq, Feature::kAvx2, Feature::kFma}); },
    kernels_for<Fma512>,
    [](int k) { return fma256.few(k); },
    peak_of<Fma512>,
};

}  // namespace vecphe::compiled
