// The kernels of kernel.h as templates over the vector type V. Whole: the limb count is a multiple of V::rows, and
// products are woven of blocks of that size; the general kernels take any count.
//
// Product of pairs, R = 2^(52k):
//     P = x0*y0,  m = -P/N mod R,  z0 = (P + m*N)/R          so  P = z0*R - m*N
//     S = x0*y1 + x1*y0 + (KN - m),  z1 = S/R mod N          KN a multiple of N that keeps S positive
//     X*Y/R = z0 + z1*N  (mod N^2)
// Delayed form, V = v0 - v1*N/R, adds m after the division instead of before:
//     V*W/R = z0 - z1*N/R,  z1 = (v0*w1 + v1*w0)/R + m,
// so a product of plain coordinates (v1 = w1 = 0) is (z0, m) and costs no second reduction.
#pragma once

#include "columns.h"
#include "verify.h"

namespace vecphe {

template <class V, bool Whole>
struct Pair {
    using Reg = typename V::Reg;
    using Limbs = std::uint64_t*;
    using ConstLimbs = const std::uint64_t*;
    static constexpr int kBlock = V::rows;

    static VECPHE_INLINE Reg at(ConstLimbs p, int i) { return V::load(p + i * kLanes); }
    static VECPHE_INLINE void put(Limbs p, int i, Reg x) { V::store(p + i * kLanes, x); }
    static VECPHE_INLINE Reg limb_at(ConstLimbs factors, int i) {
        return V::limb_of(V::load_factor(factors + i * kLanes));
    }
    static VECPHE_INLINE void put_factor(Limbs p, int i, Reg x) { V::store_factor(p + i * kLanes, V::factor(x)); }

    struct Double {  // a double coordinate under construction; one column more, see Columns::rows
        alignas(64) std::uint64_t t[(2 * kMaxLimbs + 1) * kLanes];
    };
    struct Single {
        alignas(64) std::uint64_t t[kMaxLimbs * kLanes];
    };
    // A modulus whose N is in the form that reductions want.
    class Divisor {
        const Factors<V> n_;

    public:
        explicit Divisor(const Modulus& given) : n_(given.n, given.k), m{given.k, n_, given.kn, given.n0inv, given.r} {}
        const Modulus m;
    };

    static VECPHE_INLINE void clear(Double& d, int first, int k) {
        for (int i = first; i <= 2 * k; i++) put(d.t, i, V::zero());
    }

    // o = the k limbs limb(i) carried; their value must be in [0, R). Returns what is carried out.
    template <class F>
    static VECPHE_INLINE Reg carry(Limbs o, int k, F&& limb) {
        const Reg mask = V::set1(kLimbMask);
        Reg c = V::zero();
        for (int i = 0; i < k; i++) {
            const Reg x = V::add(limb(i), c);
            put(o, i, V::band(x, mask));
            c = V::sra52(x);
        }
        return c;
    }
    // o = t/R, carried, for a sum of products and one reduction.
    static VECPHE_INLINE void carry_reduced(Limbs o, const Double& d, int products, int k) {
        const Halves halves{products + 1, k};
        carry(o, k, [&](int i) { return halves.template settled_above<V>(at(d.t, k + i), i); });
    }

    // x and y here and in what follows: factors.
    static VECPHE_INLINE void multiply_rows(Double& d, ConstLimbs x, ConstLimbs y, int k) {
        for_blocks<V, Whole>(
            k, [&](auto b, int i) { Columns<V, b.value, Whole>::rows(d.t + i * kLanes, x, k, y + i * kLanes); });
    }

    // f(i, 2x at limb i) for all limbs, for canonical limbs and 2x < R: no carry chain.
    template <class F>
    static VECPHE_INLINE void twice(ConstLimbs x, int k, F&& f) {
        const Reg mask = V::set1(kLimbMask);
        Reg below = V::zero();
        for (int i = 0; i < k; i++) {
            const Reg d = V::add(at(x, i), at(x, i));
            f(i, V::add(V::band(d, mask), below));
            below = V::sra52(d);
        }
    }

    // d = x^2 for limbs x, and the same as factors, and 2x < R: squares of blocks, and each block times twice all that
    // is above it. No halves are left in it.
    static VECPHE_INLINE void square_rows(Double& d, ConstLimbs x, ConstLimbs factors, int k) {
        const Reg mask = V::set1(kLimbMask);
        Single above;
        twice(x, k, [&](int i, Reg limb) { put_factor(above.t, i, limb); });
        clear(d, Whole ? 2 * kBlock : 0, k);
        for_blocks<V, Whole>(k, [&](auto b, int i) {
            constexpr int B = b.value;
            using C = Columns<V, B, Whole>;
            if (Whole && i == 0)
                C::template square_block<true>(d.t, factors);
            else
                C::template square_block<false>(d.t + 2 * i * kLanes, factors + i * kLanes);
            if (k <= i + B) return;
            const Reg lowest = at(x, i + B);  // its double takes no bit from the block
            put_factor(above.t, i + B, V::band(V::add(lowest, lowest), mask));
            C::template rows<false, true>(d.t + (2 * i + B) * kLanes, above.t + (i + B) * kLanes, k - i - B,
                                          factors + i * kLanes);
        });
    }

    // Reduces d, a sum of products; d.t[k..2k) is the result, not carried. q receives the quotient digits, as factors.
    static VECPHE_INLINE void reduce_rows(Double& d, int products, const Modulus& m, Limbs q, int k) {
        alignas(64) std::uint64_t over[kLanes];
        for_blocks<V, Whole>(k, [&](auto b, int i) {
            using C = Columns<V, b.value, Whole>;
            C::find(typename C::template Quotient<false>(d.t, i, {products, k}, m, q + i * kLanes, over));
            C::rest(d.t + i * kLanes, m.n, k, q + i * kLanes, over);
        });
    }

    // Clears what block i of a product reads beyond the blocks before it.
    template <int B>
    static VECPHE_INLINE void open(Double& d, int i, int k) {
        for (int j = i + k + 1; j <= i + k + B; j++) put(d.t, j, V::zero());
    }

    template <bool Fresh, int B>
    static VECPHE_INLINE void row_block(Double& d, ConstLimbs x, ConstLimbs y, int i, int k) {
        Columns<V, B, Whole>::template rows<Fresh>(d.t + i * kLanes, x, k, y + i * kLanes);
    }

    // P = x*y and its reduction; the product of a block stands behind the quotient chain of the block before it.
    // FromZero: p need not be initialised; otherwise it starts from p.t[0..2k].
    template <bool FromZero>
    static VECPHE_INLINE void montgomery_rows(Double& p, const Modulus& m, ConstLimbs x, ConstLimbs y, Limbs q, int k) {
        alignas(64) std::uint64_t over[kLanes];
        if constexpr (Whole) {
            constexpr int B = kBlock;
            using C = Columns<V, B, true>;
            row_block<FromZero, B>(p, x, y, 0, k);
            for (int i = 0; i < k; i += B) {
                C::find(typename C::template Quotient<false>(p.t, i, {1, k}, m, q + i * kLanes, over));
                if (i + B < k) {
                    open<B>(p, i + B, k);
                    row_block<false, B>(p, x, y, i + B, k);
                }
                C::rest(p.t + i * kLanes, m.n, k, q + i * kLanes, over);
            }
        } else {
            if (FromZero) clear(p, 0, k);
            multiply_rows(p, x, y, k);
            reduce_rows(p, 1, m, q, k);
        }
    }

    // Both reductions of a pair product, woven so that each quotient chain has an independent product behind it.
    // ahead(b, i) adds block i of P, `of_p` products (block 0 is there), cross(b, i) adds block i of the `of_s`
    // products of S, which starts from 0. Early: S also holds KN - m. Leaves z0 carried in o0 and z1 uncarried in
    // s.t[k..2k).
    template <bool Early, int of_p, int of_s, class Ahead, class Cross>
    static VECPHE_INLINE void weave(Double& p, Double& s, const Modulus& m, int k, Limbs q, Limbs o0, Ahead&& ahead,
                                    Cross&& cross) {
        alignas(64) std::uint64_t over_p[kLanes], over_s[kLanes];
        alignas(64) std::uint64_t unused[(kBlock + 1) * kLanes];
        if constexpr (Whole) {
            constexpr int B = kBlock;
            constexpr std::integral_constant<int, B> b{};
            using C = Columns<V, B, true>;
            auto of_first = [&](int i) {
                return typename C::template Quotient<false>(p.t, i, {of_p, k}, m, q + i * kLanes, over_p);
            };
            auto of_second = [&](int i) {
                return typename C::template Quotient<Early>(s.t, i, {of_s, k}, m, unused, over_s, m.kn, q);
            };
            auto first_rest = [&](int i) { C::rest(p.t + i * kLanes, m.n, k, q + i * kLanes, over_p); };
            C::find(of_first(0));
            for (int i = 0; i < k; i += B) {
                const bool last = i + B == k;
                cross(b, i);
                if (i > 0) C::rest(s.t + (i - B) * kLanes, m.n, k, unused, over_s);
                if constexpr (V::converted) {
                    // The chains of such products are long: two run side by side, and the last has a rest behind it.
                    if (last) {
                        C::find(of_second(i));
                        first_rest(i);
                    } else {
                        first_rest(i);
                        ahead(b, i + B);
                        C::find(of_second(i), of_first(i + B));
                    }
                } else {
                    first_rest(i);
                    C::find(of_second(i));
                    if (last) continue;
                    ahead(b, i + B);
                    C::find(of_first(i + B));
                }
            }
            carry_reduced(o0, p, of_p, k);
            C::rest(s.t + (k - B) * kLanes, m.n, k, unused, over_s);
        } else {
            for_blocks<V, Whole>(k, [&](auto b, int i) { cross(b, i); });
            reduce_rows(p, of_p, m, q, k);
            for (int j = 0; Early && j < k; j++) put(s.t, j, V::add(at(s.t, j), V::sub(at(m.kn, j), limb_at(q, j))));
            carry_reduced(o0, p, of_p, k);
            Single digits;
            reduce_rows(s, of_s, m, digits.t, k);
        }
    }

    // The weave of x*y with cross products x*y1 + x1*y.
    template <bool Early>
    static VECPHE_INLINE void weave_product(Double& p, Double& s, const Modulus& m, int k, Limbs q, Limbs o0,
                                            ConstLimbs x, ConstLimbs y) {
        const Factors<V> x0(x, k), x1(x + k * kLanes, k), y0(y, k), y1(y + k * kLanes, k);
        auto ahead = [&](auto b, int i) {
            open<b.value>(p, i, k);
            row_block<false, b.value>(p, x0, y0, i, k);
        };
        auto cross = [&](auto b, int i) {
            if (Whole && i == 0) {
                row_block<true, b.value>(s, x0, y1, i, k);
            } else {
                if (Whole) open<b.value>(s, i, k);
                row_block<false, b.value>(s, x0, y1, i, k);
            }
            row_block<false, b.value>(s, x1, y0, i, k);
        };
        if constexpr (Whole) {
            row_block<true, kBlock>(p, x0, y0, 0, k);
        } else {
            clear(p, 0, k);
            clear(s, 0, k);
            multiply_rows(p, x0, y0, k);
        }
        weave<Early, 1, 2>(p, s, m, k, q, o0, ahead, cross);
    }

    static void product(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        const int k = m.k;
        Double p, s;
        Single q;
        weave_product<true>(p, s, Divisor(m).m, k, q.t, o, x, y);
        carry_reduced(o + k * kLanes, s, 2, k);
    }

    static void square(const Modulus& m, Limbs o, ConstLimbs x) {
        const int k = m.k;
        Double p, s;
        Single q, double_x1;
        const Factors<V> x0(x, k);
        square_rows(p, x, x0, k);
        twice(x + k * kLanes, k, [&](int i, Reg limb) { put_factor(double_x1.t, i, limb); });  // 2*x1 < 6N < R
        auto ahead = [](auto, int) {};
        auto cross = [&](auto b, int i) {
            if (Whole && i == 0) {
                row_block<true, b.value>(s, x0, double_x1.t, i, k);
            } else {
                if (Whole) open<b.value>(s, i, k);
                row_block<false, b.value>(s, x0, double_x1.t, i, k);
            }
        };
        if (!Whole) clear(s, 0, k);
        weave<true, 0, 1>(p, s, Divisor(m).m, k, q.t, o, ahead, cross);
        carry_reduced(o + k * kLanes, s, 1, k);
    }

    static void montgomery(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        const int k = m.k;
        Double p;
        Single q;
        montgomery_rows<true>(p, Divisor(m).m, Factors<V>(x, k), Factors<V>(y, k), q.t, k);
        carry_reduced(o, p, 1, k);
    }

    static void montgomery_minus(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y, ConstLimbs s) {
        const int k = m.k;
        Double p;
        Single q;
        for (int i = 0; i < k; i++) put(p.t, i, V::sub(at(m.kn, i), at(s, i)));
        clear(p, k, k);
        montgomery_rows<false>(p, Divisor(m).m, Factors<V>(x, k), Factors<V>(y, k), q.t, k);
        carry_reduced(o, p, 1, k);
    }

    static void delayed(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        const int k = m.k;
        Double p;
        Single q;
        montgomery_rows<true>(p, Divisor(m).m, Factors<V>(x, k), Factors<V>(y, k), q.t, k);
        carry_reduced(o, p, 1, k);
        for (int i = 0; i < k; i++) put(o + k * kLanes, i, limb_at(q.t, i));
    }

    static void delayed_product(const Modulus& m, Limbs o, ConstLimbs v, ConstLimbs w) {
        const int k = m.k;
        Double p, s;
        Single q;
        weave_product<false>(p, s, Divisor(m).m, k, q.t, o, v, w);
        add_folded(m, o + k * kLanes, s, q.t, k);
    }

    // o = S/R + q mod N, below R, for a reduced S of two products: the sum is below R + 4N, and a carry out of the top
    // is worth R mod N.
    static VECPHE_INLINE void add_folded(const Modulus& m, Limbs o, const Double& s, ConstLimbs q, int k) {
        const Halves halves{3, k};
        const Reg c = carry(
            o, k, [&](int i) { return V::add(halves.template settled_above<V>(at(s.t, k + i), i), limb_at(q, i)); });
        const Reg out = V::sub(V::zero(), c);  // 0 or all ones
        carry(o, k, [&](int i) { return V::add(at(o, i), V::band(at(m.r, i), out)); });
    }

    static void reduce(const Modulus& m, Limbs o, ConstLimbs p, ConstLimbs s) {
        const int k = m.k;
        const Divisor divisor(m);
        Double d;
        Single q;
        for (int i = 0; i < 2 * k; i++) put(d.t, i, at(p, i));
        clear(d, 2 * k, k);
        if (s)
            for (int i = 0; i < k; i++) put(q.t, i, at(s, i));
        Single digits;
        reduce_rows(d, 0, divisor.m, digits.t, k);
        carry_reduced(o, d, 0, k);
        for (int i = 0; i < k; i++) {
            const Reg x = V::sub(at(m.kn, i), limb_at(digits.t, i));
            put(d.t, i, s ? V::add(x, at(q.t, i)) : x);
        }
        clear(d, k, k);
        reduce_rows(d, 0, divisor.m, digits.t, k);
        carry_reduced(o + k * kLanes, d, 0, k);
    }

    static void subtract_once(const Modulus& m, Limbs o, ConstLimbs x) {
        const int k = m.k;
        Single d;
        const Reg borrow = carry(d.t, k, [&](int i) { return V::sub(at(x, i), at(m.n, i)); });
        const typename V::Mask less = V::negative(borrow);
        for (int i = 0; i < k; i++) put(o, i, V::blend(less, at(d.t, i), at(x, i)));
    }

    static void add(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y) {
        carry(o, m.k, [&](int i) { return V::add(at(x, i), at(y, i)); });
    }

    static void expand(const Modulus& m, Limbs o, ConstLimbs x, ConstLimbs y, ConstLimbs s) {
        const int k = m.k;
        Double d;
        for (int i = 0; i < k; i++) put(d.t, i, at(s, i));
        clear(d, k, k);
        multiply_rows(d, Factors<V>(x, k), Factors<V>(y, k), k);
        const Halves halves{1, k};
        carry(o, 2 * k, [&](int i) {
            return i < k ? halves.template settled_below<V>(at(d.t, i), i, 0)
                         : halves.template settled_above<V>(at(d.t, i), i - k);
        });
    }
};

}  // namespace vecphe
