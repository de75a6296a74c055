// Table look-ups that read the whole table whatever the digits are.
#pragma once

#include "columns.h"

namespace vecphe {

template <class V>
struct Select {
    using Reg = typename V::Reg;

    // C limb columns of a row for G groups of lanes: every comparison serves C columns, every load G groups.
    template <int G, int C>
    static VECPHE_INLINE void shared_columns(std::uint64_t* o, int group_columns, const std::uint64_t* row, int entries,
                                             const std::uint64_t* digits, bool add) {
        Reg digit[G], block[G], chosen[C][G];
        VECPHE_UNROLL
        for (int g = 0; g < G; g++) {
            digit[g] = V::load(digits + g * kLanes);
            block[g] = V::block_of(digit[g]);
        }
        VECPHE_UNROLL
        for (int i = 0; i < C * G; i++)
            chosen[i / G][i % G] = add ? V::load(o + ((i % G) * group_columns + i / G) * kLanes) : V::zero();
        const long stride = entries;
        for (int b = 0; b * V::block < entries; b += 2) {
            // A row of a single block is read twice, the second time with no lane asking.
            const int second = (b + 1) * V::block < entries ? b + 1 : b;
            const Reg here = V::set1(static_cast<std::uint64_t>(b)), next = V::set1(static_cast<std::uint64_t>(b + 1));
            typename V::Mask low[G], high[G];
            VECPHE_UNROLL
            for (int g = 0; g < G; g++) {
                low[g] = V::equal(block[g], here);
                high[g] = V::equal(block[g], next);
            }
            VECPHE_UNROLL
            for (int i = 0; i < C * G; i++) {
                const std::uint64_t* column = row + (i / G) * stride;
                const int g = i % G;
                const Reg one = V::pick_if(low[g], column + b * V::block, digit[g]);
                const Reg two = V::pick_if(high[g], column + second * V::block, digit[g]);
                Reg& sum = chosen[i / G][g];
                sum = add ? V::add(sum, V::bor(one, two)) : V::bor3(sum, one, two);
            }
        }
        VECPHE_UNROLL
        for (int i = 0; i < C * G; i++) V::store(o + ((i % G) * group_columns + i / G) * kLanes, chosen[i / G][i % G]);
    }

    // Columns outside and groups inside, so that a column comes to the nearest cache once for all groups.
    template <int C>
    static VECPHE_INLINE void shared_groups(std::uint64_t* o, int group_columns, const std::uint64_t* row, int entries,
                                            const std::uint64_t* digits, int groups, bool add) {
        int g = 0;
        auto next = [&](auto count) {
            shared_columns<count.value, C>(o + static_cast<long>(g) * group_columns * kLanes, group_columns, row,
                                           entries, digits + g * kLanes, add);
            g += count.value;
        };
        while (groups - g >= 4) next(std::integral_constant<int, 4>{});
        if (groups - g >= 2) next(std::integral_constant<int, 2>{});
        if (groups - g >= 1) next(std::integral_constant<int, 1>{});
    }

    static void shared(std::uint64_t* o, int group_columns, const std::uint64_t* row, int entries, int columns,
                       const std::uint64_t* digits, int groups, bool add) {
        int c = 0;
        for (; c + 4 <= columns; c += 4)
            shared_groups<4>(o + c * kLanes, group_columns, row + static_cast<long>(c) * entries, entries, digits,
                             groups, add);
        for (; c < columns; c++)
            shared_groups<1>(o + c * kLanes, group_columns, row + static_cast<long>(c) * entries, entries, digits,
                             groups, add);
    }

    // C columns of the chosen entry at a time, so that one comparison serves C of them.
    template <int C>
    static VECPHE_INLINE void private_columns(std::uint64_t* o, const std::uint64_t* table, int entries, int columns,
                                              Reg digit) {
        Reg chosen[C];
        VECPHE_UNROLL
        for (int c = 0; c < C; c++) chosen[c] = V::load(table + c * kLanes);
        for (int e = 1; e < entries; e++) {
            const std::uint64_t* entry = table + static_cast<long>(e) * columns * kLanes;
            const typename V::Mask hit = V::equal(digit, V::set1(static_cast<std::uint64_t>(e)));
            VECPHE_UNROLL
            for (int c = 0; c < C; c++) chosen[c] = V::blend(hit, chosen[c], V::load(entry + c * kLanes));
        }
        VECPHE_UNROLL
        for (int c = 0; c < C; c++) V::store(o + c * kLanes, chosen[c]);
    }

    static void by_lane(std::uint64_t* o, const std::uint64_t* table, int entries, int columns,
                        const std::uint64_t* digits) {
        const Reg digit = V::load(digits);
        int c = 0;
        for (; c + 10 <= columns; c += 10)
            private_columns<10>(o + c * kLanes, table + c * kLanes, entries, columns, digit);
        for (; c < columns; c++) private_columns<1>(o + c * kLanes, table + c * kLanes, entries, columns, digit);
    }
};

}  // namespace vecphe
