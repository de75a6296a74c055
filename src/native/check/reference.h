// GMP on the other side of the checks: constants for the kernel, and the results it should give.
#pragma once

#include <gmp.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../decryptor.h"
#include "../fixed_base.h"
#include "../ring.h"

namespace vecphe::check {

class Integer {
public:
    Integer() { mpz_init(z_); }
    Integer(unsigned long value) { mpz_init_set_ui(z_, value); }
    Integer(const Integer& other) { mpz_init_set(z_, other.z_); }
    Integer& operator=(const Integer& other) {
        mpz_set(z_, other.z_);
        return *this;
    }
    ~Integer() { mpz_clear(z_); }

    static Integer from_bytes(const std::uint8_t* data, std::size_t size) {
        Integer result;
        mpz_import(result.z_, size, -1, 1, 0, 0, data);
        return result;
    }
    static Integer power_of_two(unsigned long bits) {
        Integer result;
        mpz_setbit(result.z_, bits);
        return result;
    }
    std::vector<std::uint8_t> bytes(std::size_t size) const {
        std::vector<std::uint8_t> data(size);
        mpz_export(data.data(), nullptr, -1, 1, 0, 0, z_);
        return data;
    }
    std::vector<std::uint8_t> bytes() const { return bytes((bits() + 7) / 8); }
    std::size_t bits() const { return mpz_sizeinbase(z_, 2); }
    bool odd() const { return mpz_tstbit(z_, 0); }
    bool zero() const { return mpz_cmp_ui(z_, 0) == 0; }
    mpz_ptr z() { return z_; }
    mpz_srcptr z() const { return z_; }

    friend Integer operator+(const Integer& a, const Integer& b) { return apply(mpz_add, a, b); }
    friend Integer operator-(const Integer& a, const Integer& b) { return apply(mpz_sub, a, b); }
    friend Integer operator*(const Integer& a, const Integer& b) { return apply(mpz_mul, a, b); }
    friend Integer operator/(const Integer& a, const Integer& b) { return apply(mpz_fdiv_q, a, b); }
    friend Integer operator%(const Integer& a, const Integer& b) { return apply(mpz_mod, a, b); }
    friend bool operator==(const Integer& a, const Integer& b) { return mpz_cmp(a.z_, b.z_) == 0; }

    Integer power(const Integer& exponent, const Integer& modulus) const {
        Integer result;
        mpz_powm(result.z_, z_, exponent.z_, modulus.z_);
        return result;
    }
    Integer inverse(const Integer& modulus) const {
        Integer result;
        mpz_invert(result.z_, z_, modulus.z_);
        return result;
    }

private:
    template <class F>
    static Integer apply(F f, const Integer& a, const Integer& b) {
        Integer result;
        f(result.z_, a.z_, b.z_);
        return result;
    }
    mpz_t z_;
};

inline int limbs(std::size_t bits, std::size_t slack) { return static_cast<int>((bits + slack + 51) / 52); }

inline RingConstants ring_constants(const Integer& n) {
    const int k = limbs(n.bits(), 12);
    const Integer r = Integer::power_of_two(52ul * static_cast<unsigned long>(k)), n2 = n * n;
    const Integer r1 = r % n2, r3 = r * r * r % n2;
    return RingConstants{k,
                         n.bytes(),
                         n2.bytes(),
                         ((r + n - Integer(1)) / n * n).bytes(),
                         (r1 % n).bytes(),
                         (r1 / n).bytes(),
                         (r3 % n).bytes(),
                         (r3 / n).bytes(),
                         (r * r % n).bytes(),
                         2 * ((n.bits() + 7) / 8)};
}

inline PrimeConstants prime_constants(const Integer& p, const Integer& q, int k) {
    const Integer r = Integer::power_of_two(52ul * static_cast<unsigned long>(k)), p2 = p * p;
    const Integer r1 = r % p2, r3 = r * r * r % p2, u = q.inverse(p);
    return PrimeConstants{p.bytes(),
                          ((r + p - Integer(1)) / p * p).bytes(),
                          (r1 % p).bytes(),
                          (r1 / p).bytes(),
                          (r3 % p).bytes(),
                          (r3 / p).bytes(),
                          (q * r3 % p).bytes(),
                          ((p - u) * u % p * r % p).bytes(),
                          q.bytes(),
                          (p - Integer(1)).bytes()};
}

inline Batch load(const Ring& ring, const std::vector<Integer>& values) {
    std::vector<std::uint8_t> data;
    for (const Integer& value : values) {
        const std::vector<std::uint8_t> bytes = value.bytes(ring.ciphertext_bytes());
        data.insert(data.end(), bytes.begin(), bytes.end());
    }
    return ring.load(data.data(), values.size());
}

inline std::vector<Integer> store(const Ring& ring, const Batch& batch) {
    std::vector<std::uint8_t> data(batch.count() * ring.ciphertext_bytes());
    ring.store(batch, data.data());
    std::vector<Integer> values;
    for (std::size_t i = 0; i < batch.count(); i++)
        values.push_back(Integer::from_bytes(data.data() + i * ring.ciphertext_bytes(), ring.ciphertext_bytes()));
    return values;
}

inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "wrong result: %s\n", what);
    std::abort();
}

// Reproducible numbers, not random ones.
class Generator {
public:
    std::uint64_t word() {
        state_ += 0x9e3779b97f4a7c15u;  // splitmix64
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::vector<std::uint64_t> words(std::size_t count) {
        std::vector<std::uint64_t> result(count);
        for (std::uint64_t& w : result) w = word();
        return result;
    }
    Integer below(const Integer& bound) {
        const std::vector<std::uint64_t> w = words(bound.bits() / 64 + 2);
        return Integer::from_bytes(reinterpret_cast<const std::uint8_t*>(w.data()), w.size() * 8) % bound;
    }
    Integer prime(std::size_t bits) {
        Integer p = below(Integer::power_of_two(bits - 1)) + Integer::power_of_two(bits - 1);
        mpz_nextprime(p.z(), p.z());
        return p;
    }

private:
    std::uint64_t state_ = 20240229;
};

inline Integer from_words(const std::uint64_t* words, std::size_t count) {
    return Integer::from_bytes(reinterpret_cast<const std::uint8_t*>(words), count * 8);
}

}  // namespace vecphe::check
