// Runs every operation on every supported target, or the one that is named, and compares with GMP. Each time in another
// floating-point environment, which has to be the same afterwards.
//
// usage: exercise [TARGET]
//        exercise broken-operand|broken-environment TARGET    controls, which must be reported
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <chrono>
#include <cstring>
#include <iterator>
#include <thread>

#include "../checkpoint.h"
#include "../dispatch.h"
#include "../power.h"
#include "reference.h"

using namespace vecphe;
using namespace vecphe::check;

namespace {

// What holds rounding mode, denormal settings and flags: MXCSR, or FPCR and above it FPSR. Masks stay set, and traps
// off: what traps is for tests in processes of their own. What is set last leaves one.
#if defined(__x86_64__)
// Usual; down; up; toward zero; denormals as zero; flushed to zero; all of that and all flags.
constexpr std::uint64_t kModes[] = {0x1f80, 0x3f80, 0x5f80, 0x7f80, 0x1fc0, 0x9f80, 0xdfff}, kAnother = 0x2000;

std::uint64_t environment() { return _mm_getcsr(); }
void set_environment(std::uint64_t word) { _mm_setcsr(static_cast<unsigned>(word)); }
#elif defined(__aarch64__)
// Usual; up; down; toward zero; flushed to zero; default NaNs; all of that and all flags.
constexpr std::uint64_t kModes[] = {0, 1 << 22, 2 << 22, 3 << 22, 1 << 24, 1 << 25, 0x0800009f03400000},
                        kAnother = 1 << 22;

std::uint64_t environment() {
    std::uint64_t control, flags;
    __asm__ __volatile__("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control), "=r"(flags) : : "memory");
    return flags << 32 | control;
}
void set_environment(std::uint64_t word) {
    __asm__ __volatile__("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(word & 0xffffffff), "r"(word >> 32) : "memory");
}
#endif

// Calls f in one environment after the other.
template <class F>
void in_some_environment(F&& f) {
    static std::size_t next = 0;
    const std::uint64_t before = environment(), mode = kModes[next++ % std::size(kModes)];
    set_environment(mode);
    f();
    const std::uint64_t after = environment();
    set_environment(before);
    require(after == mode, "another floating-point environment after a call");
}

void leave_an_environment() { set_environment(environment() ^ kAnother); }

// To kernels that compute with doubles a limb of this N is no number.
void broken_operand(const Target& target) {
    constexpr int k = 5;
    Buffer n(k * kLanes), zero(2 * k * kLanes), one(kLanes);
    for (Buffer* each : {&n, &zero, &one}) each->clear();
    for (int lane = 0; lane < kLanes; lane++) n.data()[lane] = one.data()[lane] = 1;
    n.data()[2 * kLanes + 3] = 0x7ff8000000000000;
    const Modulus m{k, n.data(), zero.data(), one.data(), zero.data()};
    target.kernels(k)->product(m, zero.data(), zero.data(), zero.data());
}

void exercise_ring(const Target& target, const Integer& n, std::size_t count, Generator& numbers) {
    const Ring ring(target, ring_constants(n));
    const Integer n2 = n * n;
    std::vector<Integer> x, y;
    for (std::size_t i = 0; i < count; i++) {
        x.push_back(numbers.below(n2));
        y.push_back(numbers.below(n2));
    }
    const Batch a = load(ring, x), b = load(ring, y);
    const std::size_t words = (n.bits() + 63) / 64;
    const std::vector<std::uint64_t> plain = numbers.words(count * words), exponents = numbers.words(count * count);
    const std::vector<Integer> product = store(ring, ring.multiply(a, b));
    const std::vector<Integer> with_plain = store(ring, ring.multiply_plain(a, plain.data(), words, {1}));
    const std::vector<Integer> powers = store(ring, power(ring, a, exponents.data(), 1, 64));
    const std::vector<Integer> rows = store(ring, matrix_power_vartime(ring, a, exponents.data(), count, 1, 64));
    const std::vector<Integer> total = store(ring, ring.product(a, 1, count, 1));
    const std::vector<std::int64_t> keys(count, 1);
    const std::vector<Integer> grouped = store(ring, ring.grouped_product(a, keys.data(), 2));
    Integer all(1);
    for (std::size_t i = 0; i < count; i++) {
        const Integer m = from_words(plain.data() + i * words, words) + Integer(1);
        require(product[i] == x[i] * y[i] % n2, "product");
        require(with_plain[i] == x[i] * (Integer(1) + m * n) % n2, "product by a plaintext");
        require(powers[i] == x[i].power(from_words(&exponents[i], 1), n2), "power");
        Integer row(1);
        for (std::size_t j = 0; j < count; j++)
            row = row * x[j].power(from_words(&exponents[i * count + j], 1), n2) % n2;
        require(rows[i] == row, "matrix power");
        all = all * x[i] % n2;
    }
    require(total[0] == all % n2, "product along an axis");
    require(grouped[0] == Integer(1) && grouped[1] == all % n2, "product by keys");
    ring.unit_witness(a);
    ring.take(ring.concatenate({&a, &b, &a}), std::vector<std::int64_t>{0, static_cast<std::int64_t>(count)}.data(), 2);
    ring.prefix_products(a);
}

void exercise_key(const Target& target, std::size_t bits, std::size_t count, Generator& numbers) {
    const Integer p = numbers.prime(bits / 2), q = numbers.prime(bits - bits / 2), n = p * q, n2 = n * n;
    const Ring ring(target, ring_constants(n));
    const Integer base = numbers.below(n).power(n, n2);
    const FixedBase table(ring, load(ring, {base, base.inverse(n)}), 100, 5);
    const std::vector<std::uint64_t> exponents = numbers.words(2 * count);
    const Batch randomizers = table.power_secret(exponents.data(), 2, count);
    const std::vector<Integer> powers = store(ring, randomizers);
    for (std::size_t i = 0; i < count; i++)
        require(powers[i] == base.power(from_words(&exponents[2 * i], 2) % Integer::power_of_two(100), n2),
                "fixed base");
    const std::size_t words = (n.bits() + 63) / 64;
    std::vector<std::uint64_t> plain(count * words);
    for (std::size_t i = 0; i < count; i++) plain[i * words] = i + 1;
    const Batch encrypted = ring.multiply_plain(randomizers, plain.data(), words, {});
    const std::size_t longest = std::max(p.bits(), q.bits());
    const int k = limbs(longest, 4);
    const Decryptor decryptor(target, k, longest, prime_constants(p, q, k), prime_constants(q, p, k));
    std::vector<std::uint64_t> opened(count * words);
    decryptor.decrypt(ring, encrypted, {}, opened.data(), words);
    require(opened == plain, "decryption");
    try {
        decryptor.decrypt(ring, load(ring, {p}), {}, opened.data(), words);
        require(false, "a residue that is no unit");
    } catch (const InvalidResidue&) {}
}

// A checkpoint throws in the midst of a power.
void exercise_stop(const Target& target, Generator& numbers) {
    struct Stopped {};
    const Ring ring(target, ring_constants(numbers.below(Integer::power_of_two(1022)) * Integer(2) + Integer(1)));
    const Batch batch = load(ring, std::vector<Integer>(9, Integer(3)));
    const std::vector<std::uint64_t> exponents = numbers.words(9 * 16);
    bool stopped = false;
    ask_at_checkpoints([] { throw Stopped(); });
    try {
        power(ring, batch, exponents.data(), 16, 1024);
    } catch (const Stopped&) {
        stopped = true;
    }
    ask_at_checkpoints(nullptr);
    require(stopped, "no stop at a checkpoint");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && !std::strcmp(argv[1], "broken-operand")) return broken_operand(find_target(argv[2])), 0;
    if (argc == 3 && !std::strcmp(argv[1], "broken-environment")) return in_some_environment(leave_an_environment), 0;
    require(argc == 1 || argc == 2, "usage");
    Generator numbers;
    for (const Target* target : argc == 2 ? std::vector<const Target*>{&find_target(argv[1])} : targets()) {
        if (const std::string reason = target->why_not(); !reason.empty()) {
            std::printf("%s: not run, %s\n", target->name, reason.c_str());
            continue;
        }
        for (std::size_t bits : {4, 52, 93, 512, 515, 1024, 1028, 2048, 3072, 4096}) {
            const Integer n = numbers.below(Integer::power_of_two(bits - 2)) * Integer(2) + Integer(1) +
                              Integer::power_of_two(bits - 1);
            for (std::size_t count : {1, 3, 9}) in_some_environment([&] { exercise_ring(*target, n, count, numbers); });
        }
        for (std::size_t bits : {16, 512, 1024, 2048})
            in_some_environment([&] { exercise_key(*target, bits, 9, numbers); });
        for (std::size_t i = 0; i < std::size(kModes); i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(60));  // checkpoints ask no more often
            in_some_environment([&] { exercise_stop(*target, numbers); });
        }
        std::printf("%s: exercised\n", target->name);
    }
}
