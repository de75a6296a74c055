// libFuzzer: a modulus and operands from the input, the fastest target against GMP.
// Input: limb count, window, then bytes of n, x, y and an exponent, repeated as long as needed.
#include "../dispatch.h"
#include "../power.h"
#include "reference.h"

using namespace vecphe;
using namespace vecphe::check;

namespace {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    std::uint8_t byte() { return data_[next_++ % size_]; }
    Integer number(std::size_t bits) {
        std::vector<std::uint8_t> bytes((bits + 7) / 8);
        for (std::uint8_t& b : bytes) b = byte();
        return Integer::from_bytes(bytes.data(), bytes.size()) % Integer::power_of_two(bits);
    }

private:
    const std::uint8_t* data_;
    std::size_t size_, next_ = 0;
};

const Target& fastest() {
    for (const Target* target : targets())
        if (target->why_not().empty()) return *target;
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    Input input(data, size);
    static const int kLengths[] = {1, 2, 3, 5, 8, 10, 13, 20, 21, 30, 40, 60, 80};
    const std::size_t bits = 52u * static_cast<unsigned>(kLengths[input.byte() % 13]) - 12;
    const std::uint8_t shape = input.byte();
    const Integer one(1);
    Integer n = input.number(bits);
    if (!n.odd()) n = n + one;
    if (n.bits() < 4) n = n + Integer(16);
    const Integer n2 = n * n, x = input.number(2 * bits) % n2, y = input.number(2 * bits) % n2;
    const std::uint64_t exponent = static_cast<std::uint64_t>(input.byte()) << 8 | input.byte();
    static const Target& target = fastest();
    const Ring ring(target, ring_constants(n));
    const std::size_t count = 1 + shape % 9;
    const std::vector<Integer> xs(count, x), ys(count, y);
    const Batch a = load(ring, xs), b = load(ring, ys);
    require(store(ring, a)[count - 1] == x, "load and store");
    const Batch ab = ring.multiply(a, b);
    require(store(ring, ab)[count - 1] == x * y % n2, "product");
    require(store(ring, ring.multiply(ab, ab))[0] == x * y * x * y % n2, "product of products");
    const std::vector<std::uint64_t> exponents(count, exponent);
    require(store(ring, power(ring, ab, exponents.data(), 1, 16))[0] == (x * y % n2).power(Integer(exponent), n2),
            "power");
    const std::vector<std::uint8_t> m = (y % n).bytes(((n.bits() + 63) / 64) * 8);
    std::vector<std::uint64_t> words;
    for (std::size_t i = 0; i < count; i++)
        for (std::size_t w = 0; w < m.size(); w += 8) {
            std::uint64_t word = 0;
            for (std::size_t j = 0; j < 8; j++) word |= static_cast<std::uint64_t>(m[w + j]) << (8 * j);
            words.push_back(word);
        }
    require(store(ring, ring.multiply_plain(ab, words.data(), m.size() / 8, {}))[0] == x * y * (one + y % n * n) % n2,
            "product by a plaintext");
    Integer gcd;
    mpz_gcd(gcd.z(), x.z(), n.z());
    if (gcd == one && bits <= 1100) {
        const FixedBase table(ring, load(ring, {x, x.inverse(n)}), 16, 1 + shape / 16 % 8);
        require(store(ring, table.power_secret(exponents.data(), 1, count))[0] == x.power(Integer(exponent), n2),
                "fixed base");
    }
    return 0;
}
