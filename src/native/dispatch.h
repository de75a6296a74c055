// Which targets are compiled in, which of them this CPU runs, and in what order they are preferred.
#pragma once

#include <string>
#include <vector>

#include "kernel.h"

namespace vecphe {

struct TargetStatus {
    const Target* target;
    bool supported;
    std::string reason;  // why not, if not supported
};

// All compiled-in targets, fastest first. The portable one is last and always supported.
const std::vector<TargetStatus>& targets();

// The target of that name; throws std::invalid_argument if it is unknown or the CPU does not run it.
const Target& find_target(const std::string& name);

}  // namespace vecphe
