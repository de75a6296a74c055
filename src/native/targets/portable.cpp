#include "../vec_portable.h"

#include "../generic/target.h"

namespace vecphe::compiled {

extern const Target portable;
const Target portable = {
    "portable",
    Portable::lanes,
    [] { return std::string(); },
    kernels_for<Portable>,
    kernels_for<Portable, kFewLanes>,
    peak_of<Portable>,
};

}  // namespace vecphe::compiled
