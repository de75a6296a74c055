// Discrete logarithms by CRT: p and q halves of a ciphertext in neighbouring lanes.
#pragma once

#include <vector>

#include "ring.h"

namespace vecphe {

// Little-endian bytes of the numbers of one prime p with cofactor q; R = 2^(52k) for the common k of both primes.
struct PrimeConstants {
    std::vector<std::uint8_t> p, kp;
    std::vector<std::uint8_t> one0, one1;  // pair of R mod p^2
    std::vector<std::uint8_t> r3_0, r3_1;  // pair of R^3 mod p^2
    std::vector<std::uint8_t> q_r3;        // q * R^3 mod p
    std::vector<std::uint8_t> h;           // -(1/q)^2 * R mod p: the logarithm to the CRT coefficient
    std::vector<std::uint8_t> q;           // the cofactor
    std::vector<std::uint8_t> exponent;    // p - 1

    ~PrimeConstants() {
        for (auto* bytes : {&p, &kp, &one0, &one1, &r3_0, &r3_1, &q_r3, &h, &q, &exponent})
            wipe(bytes->data(), bytes->size());
    }
};

class Decryptor {
public:
    Decryptor(const Target& target, int k, std::size_t exponent_bits, const PrimeConstants& p, const PrimeConstants& q);

    // (m + offset) mod n as `words` words each, into `plaintexts`. Throws InvalidResidue where a residue is no unit or
    // a check fails. Constant time but for that.
    void decrypt(const Ring& ring, const Batch& batch, const std::vector<std::uint8_t>& offset,
                 std::uint64_t* plaintexts, std::size_t words) const;

private:
    struct Work;

    void load(const Kernels& f, Work& work, const Ring& ring, const std::uint64_t* canonical, std::size_t first) const;
    std::uint64_t logarithms(const Kernels& f, Work& work, std::size_t count) const;
    void recombine(const Kernels& f, Work& work, const Ring& ring, const std::uint64_t* offset, std::uint64_t* columns,
                   std::size_t first) const;

    std::size_t size() const { return static_cast<std::size_t>(modulus_.k) * kLanes; }

    const Kernels* kernels_;
    const Kernels* few_;
    Modulus modulus_;
    std::size_t exponent_bits_;
    int window_;
    Buffer store_, exponents_;
    std::uint64_t *one_, *r3_, *q_r3_, *h_, *q_, *zero_;
};

}  // namespace vecphe
