#include "dispatch.h"

#include <stdexcept>

namespace vecphe {

// VECPHE_TARGETS comes from CMakeLists.txt: TARGET(name) for each that was compiled in.
namespace compiled {
#define TARGET(name) extern const Target name;
VECPHE_TARGETS
#undef TARGET
}  // namespace compiled

const std::vector<const Target*>& targets() {
#define TARGET(name) &compiled::name,
    static const std::vector<const Target*> list{VECPHE_TARGETS};
#undef TARGET
    return list;
}

const Target& find_target(const std::string& name) {
    for (const Target* target : targets()) {
        if (name != target->name) continue;
        const std::string reason = target->why_not();
        if (!reason.empty()) throw std::invalid_argument(name + ": " + reason);
        return *target;
    }
    throw std::invalid_argument("no target named " + name);
}

}  // namespace vecphe
