#include "decryptor.h"

#include <algorithm>

#include "declassify.h"
#include "limbs.h"
#include "power.h"

namespace vecphe {

namespace {

constexpr std::size_t kTogether = kLanes / 2;  // ciphertexts in one group of lanes

// The exponents p - 1 and q - 1 fit `bits`, and these the limbs of the primes.
std::size_t checked_bits(std::size_t bits, int k, const PrimeConstants& p, const PrimeConstants& q) {
    for (const PrimeConstants* prime : {&p, &q}) checked_modulus(prime->p, k);
    const std::size_t least = std::max(bit_length(p.exponent), bit_length(q.exponent));
    if (bits == 0 || bits < least || bits > static_cast<std::size_t>(k) * kLimbBits)
        throw std::invalid_argument("bits must be the length of the longer prime");
    return bits;
}

// Plaintexts that are wiped unless they are kept.
class Opened {
public:
    Opened(std::uint64_t* words, std::size_t count) : words_(words), count_(count) {}
    Opened(const Opened&) = delete;
    ~Opened() {
        if (words_) wipe(words_, count_ * kWordBytes);
    }
    void keep() { words_ = nullptr; }

private:
    std::uint64_t* words_;
    std::size_t count_;
};

}  // namespace

struct Decryptor::Work {
    explicit Work(std::size_t size)
        : wide(2 * size, Buffer::Content::kSecret),
          pair(2 * size, Buffer::Content::kSecret),
          other(2 * size, Buffer::Content::kSecret) {}
    Buffer wide, pair, other;
};

Decryptor::Decryptor(const Target& target, int k, std::size_t exponent_bits, const PrimeConstants& p,
                     const PrimeConstants& q)
    : kernels_(target.kernels(checked_limbs(k))),
      few_(target.few(k)),
      exponent_bits_(checked_bits(exponent_bits, k, p, q)),
      window_(power_window(exponent_bits_)),
      store_(static_cast<std::size_t>(10 * k + 1) * kLanes, Buffer::Content::kSecret),
      exponents_(2 * words_of(exponent_bits_), Buffer::Content::kSecret) {
    std::uint64_t* next = store_.data();
    Buffer other(static_cast<std::size_t>(k) * kLanes, Buffer::Content::kSecret);
    // Lanes 0, 2, 4, 6 work mod p, the others mod q.
    auto place = [&](const std::vector<std::uint8_t>& even, const std::vector<std::uint8_t>& odd) {
        std::uint64_t* columns = next;
        broadcast(columns, k, even);
        broadcast(other.data(), k, odd);
        for (int lane = 1; lane < kLanes; lane += 2) copy_lane(columns + lane, other.data() + lane, k);
        next += static_cast<std::size_t>(k) * kLanes;
        return columns;
    };
    modulus_.k = k;
    modulus_.n = place(p.p, q.p);
    modulus_.kn = place(p.kp, q.kp);
    one_ = place(p.one0, q.one0);
    modulus_.r = one_;
    place(p.one1, q.one1);
    r3_ = place(p.r3_0, q.r3_0);
    place(p.r3_1, q.r3_1);
    q_r3_ = place(p.q_r3, q.q_r3);
    h_ = place(p.h, q.h);
    q_ = place(p.q, q.q);
    zero_ = place({}, {});
    for (int lane = 0; lane < kLanes; lane++) next[lane] = negative_inverse(modulus_.n[lane]);
    modulus_.n0inv = next;
    exponents_.clear();
    const std::size_t words = exponents_.words() / 2;
    std::memcpy(exponents_.data(), p.exponent.data(), std::min(p.exponent.size(), words * kWordBytes));
    std::memcpy(exponents_.data() + words, q.exponent.data(), std::min(q.exponent.size(), words * kWordBytes));
}

// c = x0 + x1*p*q mod p^2 is the pair (x0, x1*q): x0 as a double coordinate is reduced to the pair of x0/R and
// multiplied by R^3; x1/R times q*R^3/R is x1*q*R.
void Decryptor::load(const Kernels& f, Work& w, const Ring& ring, const std::uint64_t* canonical,
                     std::size_t first) const {
    const int columns = std::min(ring.k(), 2 * modulus_.k);
    auto spread = [&](const std::uint64_t* coordinate) {
        w.wide.clear();
        for (int lane = 0; lane < kLanes; lane++)
            copy_lane(w.wide.data() + lane, coordinate + first + static_cast<std::size_t>(lane / 2), columns);
    };
    spread(canonical + static_cast<std::size_t>(ring.k()) * kLanes);
    f.reduce(modulus_, w.other.data(), w.wide.data(), nullptr);
    f.montgomery(modulus_, w.other.data(), w.other.data(), q_r3_);
    spread(canonical);
    f.reduce(modulus_, w.pair.data(), w.wide.data(), nullptr);
    f.product(modulus_, w.pair.data(), w.pair.data(), r3_);
    f.add(modulus_, w.pair.data() + size(), w.pair.data() + size(), w.other.data());
}

// pair <- (1, L*p) expected; leaves the CRT coefficient L*h mod p in `other`. Returns 0 if that is so for all
// `count` ciphertexts.
std::uint64_t Decryptor::logarithms(const Kernels& f, Work& w, std::size_t count) const {
    const std::size_t words = exponents_.words() / 2;
    const std::uint64_t* exponents[kLanes];
    for (std::size_t lane = 0; lane < kLanes; lane++) exponents[lane] = exponents_.data() + (lane % 2) * words;
    power_group(f, modulus_, w.pair.data(), w.pair.data(), one_, exponents, words, exponent_bits_, window_);
    std::memcpy(w.wide.data(), w.pair.data(), size() * kWordBytes);
    std::memset(w.wide.data() + size(), 0, size() * kWordBytes);
    f.reduce(modulus_, w.pair.data(), w.wide.data(), w.pair.data() + size());
    f.subtract_once(modulus_, w.pair.data(), w.pair.data());
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < size(); i++)
        if (i % kLanes < 2 * count) wrong |= w.pair.data()[i] ^ (i < kLanes ? 1 : 0);
    f.montgomery(modulus_, w.other.data(), w.pair.data() + size(), h_);
    f.subtract_once(modulus_, w.other.data(), w.other.data());
    f.subtract_once(modulus_, w.other.data(), w.other.data());
    return wrong;
}

// m = a*q + b*p mod n with a the coefficient of the even lane and b that of the odd one.
void Decryptor::recombine(const Kernels& f, Work& w, const Ring& ring, const std::uint64_t* offset,
                          std::uint64_t* columns, std::size_t first) const {
    f.expand(modulus_, w.wide.data(), w.other.data(), q_, zero_);
    const int k = ring.k(), known = std::min(k, 2 * modulus_.k);
    for (std::size_t i = 0; i < kTogether; i++)
        for (int c = 0; c < k; c++) {
            const std::uint64_t* halves = w.wide.data() + static_cast<std::size_t>(c) * kLanes + 2 * i;
            const std::size_t to = static_cast<std::size_t>(c) * kLanes + first + i;
            columns[to] = offset[to] + (c < known ? halves[0] + halves[1] : 0);
        }
}

void Decryptor::decrypt(const Ring& ring, const Batch& batch, const std::vector<std::uint8_t>& offset,
                        std::uint64_t* plaintexts, std::size_t words) const {
    ring.check(batch);
    if (words < words_of(ring.bits())) throw std::invalid_argument("plaintexts of too few words");
    Opened opened(plaintexts, checked_size(batch.count(), words));
    const StackWiper wiper;
    const std::size_t columns = static_cast<std::size_t>(ring.k()) * kLanes;
    const auto secret = Buffer::Content::kSecret;
    Work work(size());
    Buffer canonical(2 * columns), shift(columns), zero(columns), m(columns, secret);
    broadcast(shift.data(), ring.k(), offset);
    zero.clear();
    std::uint64_t wrong = 0;
    for (std::size_t g = 0; g < batch.groups(); g++) {
        ring.canonical(canonical.data(), batch.group(g));
        const std::size_t lanes = std::min<std::size_t>(kLanes, batch.count() - kGroup * g);
        std::memset(m.data(), 0, columns * kWordBytes);
        for (std::size_t first = 0; first < lanes; first += kTogether) {
            const std::size_t count = std::min(kTogether, lanes - first);
            const Kernels& f = 2 * count <= kFewLanes ? *few_ : *kernels_;
            load(f, work, ring, canonical.data(), first);
            wrong |= logarithms(f, work, count);
            recombine(f, work, ring, shift.data(), m.data(), first);
        }
        ring.kernels().add(ring.modulus(), m.data(), m.data(), zero.data());  // below 3n
        ring.kernels().subtract_once(ring.modulus(), m.data(), m.data());
        ring.kernels().subtract_once(ring.modulus(), m.data(), m.data());
        for (std::size_t lane = 0; lane < lanes; lane++)
            bytes_from_limbs(reinterpret_cast<std::uint8_t*>(plaintexts + (kGroup * g + lane) * words),
                             words * kWordBytes, m.data(), static_cast<int>(lane), ring.k());
    }
    declassify(&wrong, sizeof wrong);  // valid or not is public
    if (wrong) throw InvalidResidue();
    opened.keep();
}

}  // namespace vecphe
