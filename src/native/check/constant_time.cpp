// Secrets are marked uninitialised; MemorySanitizer or valgrind then reports every branch and every address that
// depends on them. `leaky-branch` and `leaky-address` are controls: they do leak and must be reported.
//
// usage: constant_time TARGET fixed-base|plaintext|power|decrypt|leaky-branch|leaky-address
//        constant_time list targets
#include <cstring>
#include <string>

#include "../declassify.h"
#include "../dispatch.h"
#include "../power.h"
#include "reference.h"

using namespace vecphe;
using namespace vecphe::check;

namespace {

constexpr std::size_t kCounts[] = {1, 3, 9, 33};
// Kernels for limb counts known at compile time (20 and 10), and general ones.
constexpr std::size_t kBits[] = {1024, 512};

template <class T>
void hide(std::vector<T>& secret) {
    classify(secret.data(), secret.size() * sizeof(T));
}

template <class T>
void reveal(std::vector<T>& secret) {
    declassify(secret.data(), secret.size() * sizeof(T));
}

struct Key {
    explicit Key(std::size_t bits) : half(bits / 2) {}
    std::size_t half;
    Generator numbers;
    Integer p = numbers.prime(half), q = numbers.prime(half), n = p * q, n2 = n * n;
    std::size_t words = (n.bits() + 63) / 64;
};

std::vector<Integer> reveal_batch(const Ring& ring, const Batch& batch) {
    for (std::size_t g = 0; g < batch.groups(); g++)
        declassify(const_cast<std::uint64_t*>(batch.group(g)), batch.stride() * 8);
    return store(ring, batch);
}

void fixed_base(const Target& target, std::size_t bits) {
    Key key(bits);
    const Ring ring(target, ring_constants(key.n));
    const Integer base = key.numbers.below(key.n).power(key.n, key.n2);
    for (int window : {3, 5, 8}) {
        const FixedBase table(ring, load(ring, {base, base.inverse(key.n)}), 120, window);
        for (std::size_t count : kCounts) {
            std::vector<std::uint64_t> exponents = key.numbers.words(2 * count);
            hide(exponents);
            const Batch powers = table.power_secret(exponents.data(), 2, count);
            reveal(exponents);
            const std::vector<Integer> values = reveal_batch(ring, powers);
            for (std::size_t i = 0; i < count; i++)
                require(values[i] == base.power(from_words(&exponents[2 * i], 2) % Integer::power_of_two(120), key.n2),
                        "fixed base");
        }
    }
}

void plaintext(const Target& target, std::size_t bits) {
    Key key(bits);
    const Ring ring(target, ring_constants(key.n));
    for (std::size_t count : kCounts) {
        std::vector<Integer> x(count, key.numbers.below(key.n2));
        std::vector<std::uint64_t> plain = key.numbers.words(count * key.words);
        hide(plain);
        const Batch product = ring.multiply_plain(load(ring, x), plain.data(), key.words, {5});
        reveal(plain);
        const std::vector<Integer> values = reveal_batch(ring, product);
        for (std::size_t i = 0; i < count; i++) {
            const Integer m = from_words(&plain[i * key.words], key.words) + Integer(5);
            require(values[i] == x[i] * (Integer(1) + m * key.n) % key.n2, "product by a plaintext");
        }
    }
}

void secret_power(const Target& target, std::size_t bits) {
    Key key(bits);
    const Ring ring(target, ring_constants(key.n));
    for (std::size_t count : kCounts) {
        std::vector<Integer> x(count, key.numbers.below(key.n2));
        std::vector<std::uint64_t> exponents = key.numbers.words(2 * count);
        hide(exponents);
        const Batch powers = power(ring, load(ring, x), exponents.data(), 2, 128);
        reveal(exponents);
        const std::vector<Integer> values = reveal_batch(ring, powers);
        for (std::size_t i = 0; i < count; i++)
            require(values[i] == x[i].power(from_words(&exponents[2 * i], 2), key.n2), "power");
    }
}

void hide_prime(PrimeConstants& c) {
    for (auto* bytes : {&c.p, &c.kp, &c.one0, &c.one1, &c.r3_0, &c.r3_1, &c.q_r3, &c.h, &c.q, &c.exponent})
        hide(*bytes);
}

void decrypt(const Target& target, std::size_t bits) {
    Key key(bits);
    const Ring ring(target, ring_constants(key.n));
    const int k = limbs(key.half, 4);
    PrimeConstants p = prime_constants(key.p, key.q, k), q = prime_constants(key.q, key.p, k);
    hide_prime(p);
    hide_prime(q);
    const Decryptor decryptor(target, k, key.half, p, q);
    for (std::size_t count : kCounts) {
        std::vector<Integer> ciphertexts;
        std::vector<std::uint64_t> expected(count * key.words), opened(count * key.words);
        for (std::size_t i = 0; i < count; i++) {
            expected[i * key.words] = 1000 + i;
            const Integer r = key.numbers.below(key.n).power(key.n, key.n2);
            ciphertexts.push_back((Integer(1) + Integer(1000 + i) * key.n) * r % key.n2);
        }
        decryptor.decrypt(ring, load(ring, ciphertexts), {}, opened.data(), key.words);
        reveal(opened);
        require(opened == expected, "decryption");
    }
}

volatile int g_table[16];
volatile int g_sink;

void leaky(bool address) {
    std::vector<std::uint64_t> secret{3};
    hide(secret);
    if (address)
        g_sink = g_table[secret[0] & 15];
    else if (secret[0] & 1)
        g_sink = 1;
}

}  // namespace

int main(int argc, char** argv) {
    require(argc == 3, "usage");
    const std::string what = argv[2];
    if (what == "targets") {
        for (const Target* each : targets())
            if (each->why_not().empty()) std::printf("%s\n", each->name);
        return 0;
    }
    const Target& target = find_target(argv[1]);
    if (what == "leaky-branch") leaky(false);
    if (what == "leaky-address") leaky(true);
    for (std::size_t bits : kBits) {
        if (what == "fixed-base") fixed_base(target, bits);
        if (what == "plaintext") plaintext(target, bits);
        if (what == "power") secret_power(target, bits);
        if (what == "decrypt") decrypt(target, bits);
    }
    std::printf("%s %s: finished\n", target.name, what.c_str());
}
