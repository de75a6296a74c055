// Kernels from the templates: each works on V::lanes lanes, so a target with narrower vectors runs them several
// times over the eight lanes of a column.
#pragma once

#include "../checkpoint.h"
#include "../tally.h"
#include "pair.h"
#include "select.h"

namespace vecphe {

template <class V, bool Whole, int Lanes>
struct Generic {
    using P = Pair<V, Whole>;
    using Limbs = std::uint64_t*;
    using ConstLimbs = const std::uint64_t*;

    static Modulus shifted(const Modulus& m, int lane) {
        return Modulus{m.k, m.n + lane, m.kn + lane, m.n0inv + lane, m.r + lane};
    }

    template <class F>
    static VECPHE_INLINE void each(const Modulus& m, F&& f) {
        [[maybe_unused]] const typename V::Environment environment;
        for (int lane = 0; lane < Lanes; lane += V::lanes) f(shifted(m, lane), lane);
    }

    // Every kernel that multiplies begins with this. It costs about `squares` times k^2 multiply-adds a lane.
    static VECPHE_INLINE void begin(const Modulus& m, int squares, std::uint64_t Tally::* counter) {
        checkpoint(std::int64_t{squares} * m.k * m.k * Lanes);
        tally.*counter += Lanes;
    }

    static void verify_pair(const Modulus& m, ConstLimbs x, int q0, int q1, int slack, const char* what) {
        verify<V>(m, m.k, x, q0, 0, what);
        verify<V>(m, m.k, x + m.k * kLanes, q1, slack, what);
    }

    static void product(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        begin(m, 10, &Tally::products);
        each(m, [&](const Modulus& s, int l) {
            verify_pair(s, x + l, 5, 12, 0, "product: left");
            verify_pair(s, y + l, 5, 12, 0, "product: right");
            P::product(s, o + l, x + l, y + l);
            verify_pair(s, o + l, 5, 6, 2, "product: result");
        });
    }
    static void square(const Modulus& m, Limbs o, ConstLimbs x) {
        begin(m, 7, &Tally::squares);
        each(m, [&](const Modulus& s, int l) {
            verify_pair(s, x + l, 5, 12, 0, "square: operand");
            P::square(s, o + l, x + l);
            verify_pair(s, o + l, 5, 6, 2, "square: result");
        });
    }
    static void montgomery(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        begin(m, 4, &Tally::montgomeries);
        each(m, [&](const Modulus& s, int l) {
            verify<V>(s, m.k, x + l, 0, 0, "montgomery: left");
            verify<V>(s, m.k, y + l, 0, 0, "montgomery: right");
            P::montgomery(s, o + l, x + l, y + l);
            verify<V>(s, m.k, o + l, 9, 2, "montgomery: result");
        });
    }
    static void montgomery_minus(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y, ConstLimbs z) {
        begin(m, 4, &Tally::montgomeries);
        each(m, [&](const Modulus& s, int l) {
            verify<V>(s, m.k, x + l, 5, 0, "montgomery_minus: left");
            verify<V>(s, m.k, y + l, 0, 0, "montgomery_minus: right");
            verify<V>(s, m.k, z + l, 0, 0, "montgomery_minus: subtrahend");
            P::montgomery_minus(s, o + l, x + l, y + l, z + l);
            verify<V>(s, m.k, o + l, 9, 2, "montgomery_minus: result");
        });
    }
    static void delayed(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        begin(m, 4, &Tally::delayed);
        each(m, [&](const Modulus& s, int l) {
            verify<V>(s, m.k, x + l, 5, 0, "delayed: left");
            verify<V>(s, m.k, y + l, 5, 0, "delayed: right");
            P::delayed(s, o + l, x + l, y + l);
            verify_pair(s, o + l, 5, 0, 0, "delayed: result");
        });
    }
    static void delayed_product(const Modulus& m, Limbs o, ConstLimbs v, ConstLimbs w) {
        begin(m, 10, &Tally::delayed);
        each(m, [&](const Modulus& s, int l) {
            verify_pair(s, v + l, 5, 0, 0, "delayed_product: left");
            verify_pair(s, w + l, 5, 0, 0, "delayed_product: right");
            P::delayed_product(s, o + l, v + l, w + l);
            verify_pair(s, o + l, 5, 0, 0, "delayed_product: result");
        });
    }
    static void reduce(const Modulus& m, Limbs o, ConstLimbs p, ConstLimbs t) {
        begin(m, 4, &Tally::reductions);
        each(m, [&](const Modulus& s, int l) {
            verify_pair(s, p + l, 0, 0, 0, "reduce: operand");
            P::reduce(s, o + l, p + l, t ? t + l : nullptr);
            verify_pair(s, o + l, 5, 4, 3, "reduce: result");
        });
    }
    static void subtract_once(const Modulus& m, Limbs o, ConstLimbs x) {
        each(m, [&](const Modulus& s, int l) {
            verify<V>(s, m.k, x + l, 0, 0, "subtract_once: operand");
            P::subtract_once(s, o + l, x + l);
            verify<V>(s, m.k, o + l, 0, 0, "subtract_once: result");
        });
    }
    static void add(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        each(m, [&](const Modulus& s, int l) {
            P::add(s, o + l, x + l, y + l);
            verify<V>(s, m.k, o + l, 0, 0, "add: result");
        });
    }
    static void expand(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y, ConstLimbs t) {
        each(m, [&](const Modulus& s, int l) {
            verify<V>(s, m.k, x + l, 0, 0, "expand: left");
            verify<V>(s, m.k, y + l, 0, 0, "expand: right");
            verify<V>(s, m.k, t + l, 0, 0, "expand: addend");
            P::expand(s, o + l, x + l, y + l, t + l);
            verify_pair(s, o + l, 0, 0, 0, "expand: result");
        });
    }
    static VECPHE_INLINE void begin_look_up(std::int64_t words) {
        checkpoint(words * Lanes);
        tally.looked_up += static_cast<std::uint64_t>(words * Lanes);
    }
    static void select_shared(Limbs o, int group_columns, ConstLimbs row, int entries, int columns, ConstLimbs digits,
                              int groups, bool add) {
        begin_look_up(std::int64_t{groups} * columns * entries);
        for (int lane = 0; lane < Lanes; lane += V::lanes)
            Select<V>::shared(o + lane, group_columns, row, entries, columns, digits + lane, groups, add);
    }
    static void select_private(Limbs o, ConstLimbs table, int entries, int columns, ConstLimbs digits) {
        begin_look_up(std::int64_t{columns} * entries);
        for (int lane = 0; lane < Lanes; lane += V::lanes)
            Select<V>::by_lane(o + lane, table + lane, entries, columns, digits + lane);
    }

    static constexpr Kernels kernels = {product, square,          montgomery,    montgomery_minus,
                                        delayed, delayed_product, reduce,        subtract_once,
                                        add,     expand,          select_shared, select_private};
};

template <class V, int Lanes = kLanes>
const Kernels* kernels_for(int k) {
    if constexpr (V::rows > 0)
        if (k % V::rows == 0) return &Generic<V, true, Lanes>::kernels;
    return &Generic<V, false, Lanes>::kernels;
}

// Eight chains of low and as many of high halves hide the latency of the multiply-adds; nothing is loaded or stored.
template <class V>
std::uint64_t peak_of(std::uint64_t rounds) {
    [[maybe_unused]] const typename V::Environment environment;
    // Sums of halves that come from elsewhere have the latency of an addition: fewer do, and 16 registers hold them.
    constexpr int chains = V::converted ? kPeakMultiplyAdds / 2 : kPeakMultiplyAdds;
    typename V::Reg sums[chains];
    for (int i = 0; i < chains; i++) sums[i] = V::set1(static_cast<std::uint64_t>(i));
    auto x = V::factor(V::set1(0x7a3f1c5d2b9e1));
    const auto y = V::factor(V::set1(0x3c6ef372fe94f));
    for (std::uint64_t round = 0; round < rounds; round++) {
        VECPHE_UNROLL
        for (int i = 0; i < kPeakMultiplyAdds; i += 2) {
            V::opaque(x);
            V::multiply_add(sums[i % chains], sums[(i + 1) % chains], x, y);
        }
    }
    typename V::Reg total = sums[0];
    for (int i = 1; i < chains; i++) total = V::add(total, sums[i]);
    alignas(64) std::uint64_t lanes[kLanes];
    V::store(lanes, total);
    return lanes[0];
}

}  // namespace vecphe
