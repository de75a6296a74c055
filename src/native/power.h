// Powers of the residues of a batch.
#pragma once

#include <vector>

#include "ring.h"

namespace vecphe {

// Exponents given lane by lane, most significant window first; x is a group, o may be x. The instruction stream and the
// addresses depend on bits and window only. exponents[lane]: `words` words.
void power_group(const Kernels& f, const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* one,
                 const std::uint64_t* const* exponents, std::size_t words, std::size_t bits, int window);

// Window with the least work for exponents of `bits` bits.
int power_window(std::size_t bits);

// Residue i to the exponent i, `words` words each of which the low `bits` bits count. Constant time for a given `bits`.
// Throws std::invalid_argument where words do not hold as many bits.
Batch power(const Ring& ring, const Batch& batch, const std::uint64_t* exponents, std::size_t words, std::size_t bits);

// Residue i of the result is the product over j of batch[j]^exponents[i][j]; exponents: rows x batch.count() x words.
Batch matrix_power_vartime(const Ring& ring, const Batch& batch, const std::uint64_t* exponents, std::size_t rows,
                           std::size_t words, std::size_t bits);

}  // namespace vecphe
