// Batches of residues mod n^2 and the operations on them; see vecphe/arithmetic/engine.py for their meaning.
#pragma once

#include <stdexcept>
#include <vector>

#include "kernel.h"
#include "memory.h"

namespace vecphe {

constexpr std::size_t kGroup = kLanes;  // residues of a group

// A residue is out of range or no unit.
struct InvalidResidue : std::runtime_error {
    InvalidResidue() : std::runtime_error("invalid residue") {}
};

// `count` pairs with respect to one modulus, kGroup together; a group is 2k columns. Idle lanes of the last group
// hold the residue 1. Bounds of a resident pair: x0 < 1.25n, x1 < 1.5n + 2. Batches that may hold randomizers or their
// roots (what was loaded, and powers) are secret: wiped before they are freed.
class Batch {
public:
    Batch(std::size_t count, int k, Buffer::Content content = Buffer::Content::kPublic)
        : count_(count),
          k_(k),
          data_(checked_size(count / kGroup + (count % kGroup != 0), 2 * kGroup * static_cast<std::size_t>(k)),
                content) {}

    std::size_t count() const { return count_; }
    std::size_t groups() const { return (count_ + kGroup - 1) / kGroup; }
    int k() const { return k_; }
    std::size_t bytes() const { return data_.words() * kWordBytes; }
    std::size_t stride() const { return 2 * static_cast<std::size_t>(k_) * kLanes; }  // words of a group
    std::uint64_t* group(std::size_t g) { return data_.data() + g * stride(); }
    const std::uint64_t* group(std::size_t g) const { return data_.data() + g * stride(); }
    const std::uint64_t* residue(std::size_t i) const { return group(i / kGroup) + i % kGroup; }
    std::uint64_t* residue(std::size_t i) { return group(i / kGroup) + i % kGroup; }

private:
    std::size_t count_;
    int k_;
    Buffer data_;
};

// Little-endian bytes of the numbers a ring is made from; all but n follow from n and k.
struct RingConstants {
    int k;
    std::vector<std::uint8_t> n, n_squared, kn;
    std::vector<std::uint8_t> one0, one1;  // pair of R mod n^2
    std::vector<std::uint8_t> r3_0, r3_1;  // pair of R^3 mod n^2
    std::vector<std::uint8_t> r2;          // R^2 mod n
    std::size_t ciphertext_bytes;
};

// Copies one lane of `columns` columns.
inline void copy_lane(std::uint64_t* to, const std::uint64_t* from, int columns) {
    for (int c = 0; c < columns; c++) to[c * kLanes] = from[c * kLanes];
}

// A number in all lanes of k columns. It may have one bit more than they hold, which goes to the top limb; throws
// std::invalid_argument where it is longer.
void broadcast(std::uint64_t* columns, int k, const std::vector<std::uint8_t>& bytes);

// The modulus of k limbs in `bytes`, if a product may take place: odd, 16n < R. Otherwise std::invalid_argument.
const std::vector<std::uint8_t>& checked_modulus(const std::vector<std::uint8_t>& bytes, int k);

// -1/n mod 2^52 of an odd limb.
std::uint64_t negative_inverse(std::uint64_t n0);

class Ring {
public:
    Ring(const Target& target, const RingConstants& constants);

    // Bits of n.
    std::size_t bits() const { return bits_; }
    const Kernels& kernels() const { return *kernels_; }
    // Kernels for a group of which only the first `lanes` matter; the others have to be filled again.
    const Kernels& kernels_of(std::size_t lanes) const { return lanes <= kFewLanes ? *few_ : *kernels_; }
    const Modulus& modulus() const { return modulus_; }
    int k() const { return modulus_.k; }
    std::size_t ciphertext_bytes() const { return ciphertext_bytes_; }
    const std::uint64_t* one() const { return one_; }
    const std::uint64_t* r2() const { return r2_; }

    Batch load(const std::uint8_t* data, std::size_t count) const;
    void store(const Batch& batch, std::uint8_t* data) const;
    Batch ones(std::size_t count) const;
    Batch take(const Batch& batch, const std::int64_t* indices, std::size_t count) const;
    Batch concatenate(const std::vector<const Batch*>& batches) const;
    Batch multiply(const Batch& left, const Batch& right) const;
    // plaintexts: count rows of `words` words; offset: bytes of a number below n. Constant time.
    Batch multiply_plain(const Batch& batch, const std::uint64_t* plaintexts, std::size_t words,
                         const std::vector<std::uint8_t>& offset) const;
    Batch product(const Batch& batch, std::size_t outer, std::size_t terms, std::size_t inner) const;
    // Product g is that of the residues with key g, 1 where there is none; keys: batch.count() of them, below `groups`.
    Batch grouped_product(const Batch& batch, const std::int64_t* keys, std::size_t groups) const;

    // x0 of eight products that together cover the batch, as bytes of ceil(52k/8) each: units if all are.
    std::vector<std::uint8_t> unit_witness(const Batch& batch) const;
    // Simultaneous inversion: prefix products lane by lane; the last group of them is what has to be inverted.
    Batch prefix_products(const Batch& batch) const;
    Batch invert_from(const Batch& batch, const Batch& prefixes, const Batch& inverse) const;

    // Canonical coordinates of one group, out of Montgomery form.
    void canonical(std::uint64_t* coordinates, const std::uint64_t* group) const;
    void fill_idle(Batch& batch) const;
    void check(const Batch& batch) const;

private:
    void copy_residue(std::uint64_t* to, const std::uint64_t* from) const;
    void load_group(std::uint64_t* group, const std::uint64_t* canonical) const;
    void plaintext_columns(std::uint64_t* columns, int limbs, const std::uint64_t* plaintexts, std::size_t words,
                           std::size_t count, const std::uint64_t* offset) const;
    Batch halve(const Batch& batch, std::size_t outer, std::size_t terms, std::size_t inner) const;

    const Kernels* kernels_;
    const Kernels* few_;
    Modulus modulus_;
    std::size_t bits_, ciphertext_bytes_;
    std::vector<std::uint8_t> n_squared_;
    Buffer store_;
    std::uint64_t* one_;
    std::uint64_t* r3_;
    std::uint64_t* r2_;
    std::uint64_t* zero_;  // k columns
};

}  // namespace vecphe
