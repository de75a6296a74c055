#include "../generic/target.h"
#include "../vec_neon.h"

namespace vecphe::compiled {

// Every AArch64 CPU that runs programs of a general system has these instructions.
extern const Target neon;
const Target neon = {
    "neon", Neon::lanes, [] { return std::string(); }, kernels_for<Neon>, kernels_for<Neon, kFewLanes>, peak_of<Neon>,
};

}  // namespace vecphe::compiled
