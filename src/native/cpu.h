// What the CPU offers and the operating system saves on a context switch.
#pragma once

#include <initializer_list>
#include <string>

namespace vecphe {

enum class Feature { kAvx2, kFma, kAvx512f, kAvx512dq, kAvx512vl, kAvx512ifma };

// Why code that needs these does not run here, or nothing if it does. The most telling of them come first.
std::string missing(std::initializer_list<Feature> needed);

}  // namespace vecphe
