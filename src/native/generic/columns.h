// Products and Montgomery reduction by blocks of B limbs held in registers.
//
// A double coordinate t under construction is an array of signed 64-bit accumulators, not carried. rows() adds
// B rows of a product to it: the B limbs y[0..B) stay in registers, a window of B + 1 accumulators slides along
// t, and each loaded limb of x feeds 2B multiply-adds. What a target adds besides is taken off where an accumulator is
// used (Halves), not where it is stored. Montgomery reduction of a block is split in two:
// quotient() finds the B quotient digits, a chain of dependent operations; rest() adds the bulk of m*N. Callers
// place independent products between the two, so that the chain's latency is hidden.
#pragma once

#include <type_traits>

#include "../kernel.h"
#include "../tally.h"

#if defined(__clang__)
#define VECPHE_UNROLL _Pragma("unroll")
#else
#define VECPHE_UNROLL _Pragma("GCC unroll 32")
#endif
#define VECPHE_INLINE inline __attribute__((always_inline))

namespace vecphe {

// A coordinate in the form that products want, converted once for all the rows that slide along it.
template <class V, bool Converted = V::converted>
class Factors {
public:
    Factors(const std::uint64_t* limbs, int k) {
        for (int i = 0; i < k; i++) V::store_factor(t_ + i * kLanes, V::factor(V::load(limbs + i * kLanes)));
    }
    operator const std::uint64_t*() const { return t_; }

private:
    alignas(64) std::uint64_t t_[kMaxLimbs * kLanes];
};

// Limbs that are factors as they are.
template <class V>
class Factors<V, false> {
public:
    Factors(const std::uint64_t* limbs, int) : limbs_(limbs) {}
    operator const std::uint64_t*() const { return limbs_; }

private:
    const std::uint64_t* limbs_;
};

// How many halves were added to each position of a double coordinate of 2k limbs by `products` products of k limbs by
// k.
struct Halves {
    int products, k;

    // In position i below k; `rows` of a reduction are there, all of them below i.
    template <class V>
    VECPHE_INLINE typename V::Reg settled_below(typename V::Reg acc, int i, int rows) const {
        return V::settled(acc, products * (i + 1) + rows, products * i + rows);
    }
    // In position k + i.
    template <class V>
    VECPHE_INLINE typename V::Reg settled_above(typename V::Reg acc, int i) const {
        return V::settled(acc, products * (k - 1 - i), products * (k - i));
    }
};

// Whole: every count and length is a multiple of B. What is called x, y, n or q here are columns of factors.
template <class V, int B, bool Whole>
struct Columns {
    using Reg = typename V::Reg;
    using Factor = typename V::Factor;
    using Limbs = std::uint64_t*;
    using ConstLimbs = const std::uint64_t*;

    static VECPHE_INLINE Reg at(ConstLimbs p, int i) { return V::load(p + i * kLanes); }
    static VECPHE_INLINE void put(Limbs p, int i, Reg x) { V::store(p + i * kLanes, x); }
    static VECPHE_INLINE Factor factor_at(ConstLimbs p, int i) { return V::load_factor(p + i * kLanes); }

    // Multiply-adds of this many columns, all lanes of a register.
    static VECPHE_INLINE void count(int multiply_adds) {
        tally.multiply_adds += static_cast<std::uint64_t>(multiply_adds) * V::lanes;
    }

    // Window step with accumulators named acc[(u + i) % (B + 1)]: position u + i += x * y[i].
    static VECPHE_INLINE void step(Reg (&acc)[B + 1], const Factor (&y)[B], Factor x, int u) {
        VECPHE_UNROLL
        for (int i = 0; i < B; i++) V::multiply_add(acc[(u + i) % (B + 1)], acc[(u + i + 1) % (B + 1)], x, y[i]);
    }

    // acc holds t[0..B]; adds x[0..count) * y, writes t[0..count) and leaves t[count..count + B] in acc. Fresh: t is
    // taken as zero and not read. Settled: acc is, as if each had B low and B high halves behind it or to come.
    template <bool Fresh, bool Settled>
    static VECPHE_INLINE void slide(Reg (&acc)[B + 1], const Factor (&y)[B], Limbs t, ConstLimbs x, int count) {
        auto leave = [&](int i, Reg sum) { put(t, i, Settled ? V::settled(sum, B, B) : sum); };
        int j = 0;
        for (; j + B <= count; j += B) {
            VECPHE_UNROLL
            for (int u = 0; u < B; u++) {
                step(acc, y, factor_at(x, j + u), u);
                leave(j + u, acc[u % (B + 1)]);
                acc[u % (B + 1)] = Fresh ? V::zero() : at(t, j + u + B + 1);
            }
            Reg turned[B + 1];
            VECPHE_UNROLL
            for (int i = 0; i <= B; i++) turned[i] = acc[(B + i) % (B + 1)];
            VECPHE_UNROLL
            for (int i = 0; i <= B; i++) acc[i] = turned[i];
        }
        for (; !Whole && j < count; j++) {
            step(acc, y, factor_at(x, j), 0);
            leave(j, acc[0]);
            VECPHE_UNROLL
            for (int i = 0; i < B; i++) acc[i] = acc[i + 1];
            acc[B] = Fresh ? V::zero() : at(t, j + B + 1);
        }
    }

    // t[0..length + B) += x[0..length) * y[0..B). Reads and rewrites t[length + B]. Settled: and takes the halves off.
    template <bool Fresh = false, bool Settled = false>
    static VECPHE_INLINE void rows(Limbs t, ConstLimbs x, int length, ConstLimbs y) {
        Reg acc[B + 1];
        Factor row[B];
        VECPHE_UNROLL
        for (int i = 0; i < B; i++) row[i] = factor_at(y, i);
        VECPHE_UNROLL
        for (int i = 0; i <= B; i++) acc[i] = Fresh ? V::zero() : at(t, i);
        VECPHE_UNROLL
        for (int i = 0; Settled && i < B; i++) acc[i] = V::settled(acc[i], i + 1 - B, i - B);  // these get fewer halves
        slide<Fresh, Settled>(acc, row, t, x, length);
        VECPHE_UNROLL
        for (int i = 0; i <= B; i++)
            put(t, length + i, Settled && i < B ? V::settled(acc[i], B - 1 - i, B - i) : acc[i]);
        count(2 * B * length);
    }

    // t[0..2B) += x[0..B)^2, column by column: the block fills the registers. Fresh: t is taken as zero.
    template <bool Fresh>
    static VECPHE_INLINE void square_block(Limbs t, ConstLimbs x) {
        Factor row[B];
        VECPHE_UNROLL
        for (int i = 0; i < B; i++) row[i] = factor_at(x, i);
        VECPHE_UNROLL
        for (int c = 0; c < 2 * B; c++) {
            // Products of weight c: low halves of i + j = c, high halves of i + j = c - 1, each pair i < j once.
            Reg low = V::zero(), high = V::zero();
            int lows = 0, highs = 0;
            VECPHE_UNROLL
            for (int i = 0; i < B; i++) {
                if (c - i > i && c - i < B) low = V::add_low(low, row[i], row[c - i]), lows++;
                if (c - 1 - i > i && c - 1 - i < B) high = V::add_high(high, row[i], row[c - 1 - i]), highs++;
            }
            const Reg sum = V::add(low, high);
            Reg square = V::add(sum, sum);
            const Factor middle = row[c / 2];
            square = c % 2 ? V::add_high(square, middle, middle) : V::add_low(square, middle, middle);
            square = V::settled(square, 2 * lows + (c + 1) % 2, 2 * highs + c % 2);
            put(t, c, Fresh ? square : V::add(square, at(t, c)));
        }
        count(B * (B + 1));
    }

    // Quotient digits q[0..B) that make block `first` of t, whose halves are given, vanish mod 2^(52B) once q*n is
    // added. Adds the products of weight below 2^(52B) only; `over` is what they carry into the next block. t itself is
    // not rewritten. Plus: t stands for t + plus - minus, limbs and factors, in these positions.
    template <bool Plus>
    class Quotient {
    public:
        VECPHE_INLINE Quotient(ConstLimbs t, int first, Halves halves, const Modulus& m, Limbs q, Limbs over,
                               ConstLimbs plus = nullptr, ConstLimbs minus = nullptr)
            : n_(m.n), q_(q), over_(over), inverse_(V::factor(V::load(m.n0inv))) {
            VECPHE_UNROLL
            for (int i = 0; i < B; i++) {
                acc_[i] = halves.settled_below<V>(at(t, first + i), first + i, first);
                if (Plus)
                    acc_[i] = V::add(acc_[i], V::sub(at(plus, first + i), V::limb_of(factor_at(minus, first + i))));
            }
            acc_[B] = V::zero();
            if (V::converted && B > 1) second_ = V::low_product(inverse_, factor_at(n_, 1));
        }
        // Digit i, where those below it are there.
        VECPHE_INLINE void digit(int i) {
            acc_[i] = V::settled(acc_[i], i, i);
            const Factor lowest = V::low_factor(acc_[i]), q = V::low_product(lowest, inverse_);
            V::store_factor(q_ + i * kLanes, q);
            // acc[i] + lo(q*n[0]) = 0 mod 2^52, so its carry is ceil(acc[i] / 2^52) and needs no product.
            const Reg carry = V::sra52(V::add(acc_[i], V::set1(kLimbMask)));
            const Reg high = V::add_high(carry, q, factor_at(n_, 0));
            if (V::converted && i + 1 < B) {
                // lo(q*n[1]), which does not wait for q: second = lo(inverse*n[1]).
                acc_[i + 1] = V::add_low(acc_[i + 1], lowest, second_);
                acc_[i + 2] = V::add_high(acc_[i + 2], q, factor_at(n_, 1));
            } else if (i + 1 < B) {
                V::multiply_add(acc_[i + 1], acc_[i + 2], q, factor_at(n_, 1));
            }
            acc_[i + 1] = V::add(acc_[i + 1], high);
            VECPHE_UNROLL
            for (int j = 2; j < B - i; j++) V::multiply_add(acc_[i + j], acc_[i + j + 1], q, factor_at(n_, j));
        }
        VECPHE_INLINE void finish() const {
            V::store(over_, acc_[B]);
            count(B * (B + 1));
        }

    private:
        ConstLimbs n_;
        Limbs q_, over_;
        Factor inverse_, second_;
        Reg acc_[B + 1];
    };

    // Several at once, whose chains of operations do not wait for each other.
    template <class... Quotients>
    static VECPHE_INLINE void find(Quotients&&... quotients) {
        VECPHE_UNROLL
        for (int i = 0; i < B; i++) (quotients.digit(i), ...);
        (quotients.finish(), ...);
    }

    // The rest of t += q*n for the digits of a Quotient, from position B of the block at t.
    static VECPHE_INLINE void rest(Limbs t, ConstLimbs n, int k, ConstLimbs q, ConstLimbs over) {
        Reg acc[B + 1];
        Factor row[B];
        VECPHE_UNROLL
        for (int i = 0; i < B; i++) row[i] = factor_at(q, i);
        VECPHE_UNROLL
        for (int i = 0; i <= B; i++) acc[i] = at(t, B + i);
        acc[0] = V::add(acc[0], V::load(over));
        VECPHE_UNROLL
        for (int j = 1; j < B; j++) {
            const Factor x = factor_at(n, j);
            VECPHE_UNROLL
            for (int i = B - j; i < B; i++) V::multiply_add(acc[i + j - B], acc[i + j - B + 1], x, row[i]);
        }
        slide<false, false>(acc, row, t + B * kLanes, n + B * kLanes, k - B);
        VECPHE_UNROLL
        for (int i = 0; i <= B; i++) put(t, k + i, acc[i]);
        count(B * (2 * k - B - 1));
    }
};

// Calls f(block size as a constant, first limb) for blocks that cover k limbs: of V::rows where these are Whole.
template <class V, bool Whole, class F>
VECPHE_INLINE void for_blocks(int k, F&& f) {
    if constexpr (Whole) {
        for (int i = 0; i < k; i += V::rows) f(std::integral_constant<int, V::rows>{}, i);
    } else {
        int i = 0;
        for (; i + 8 <= k; i += 8) f(std::integral_constant<int, 8>{}, i);
        if (k - i >= 4) f(std::integral_constant<int, 4>{}, i), i += 4;
        if (k - i >= 2) f(std::integral_constant<int, 2>{}, i), i += 2;
        if (k - i >= 1) f(std::integral_constant<int, 1>{}, i);
    }
}

}  // namespace vecphe
