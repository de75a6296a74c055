// Which targets are compiled in, and in what order they are preferred.
#pragma once

#include <string>
#include <vector>

#include "kernel.h"

namespace vecphe {

// All compiled-in targets, fastest first. The portable one is last, and runs everywhere.
const std::vector<const Target*>& targets();

// The target of that name; throws std::invalid_argument if it is unknown or this machine does not run it.
const Target& find_target(const std::string& name);

}  // namespace vecphe
