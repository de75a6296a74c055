#pragma once

#include <cstdint>

namespace vecphe {

// `rounds` times 16 multiply-adds of 8 lanes each; the value keeps them from being optimised away.
std::uint64_t ifma512_multiply_add(std::uint64_t rounds);

}  // namespace vecphe
