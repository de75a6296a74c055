// What src/vecphe/arithmetic/kernels.cu needs of a machine, on the host: Word, Wide and Flag hold all T lanes of a
// group, and a kernel is a loop over groups. Stops at the first accumulator that overflows or operand out of bounds.
#pragma once
#include <cstdio>
#include <cstdlib>

#define INLINE static inline
#define UNROLLED
#define ROLLED
#define KERNEL(name, ...) extern "C" void name(i64 count, __VA_ARGS__)
#define GROUPS(id)            \
    const bool active = true; \
    for (i64 id = 0; id < count; id++)
#define ITEMS(id) for (i64 id = 0; id < count; id++)
#define LANES for (int t = 0; t < T; t++)

[[noreturn]] inline void stop(const char* what) {
    std::fprintf(stderr, "vecphe: kernels.cu: %s\n", what);
    std::abort();
}

struct Word {
    u32 v[T];
    Word() { LANES v[t] = 0; }
    Word(u32 x) { LANES v[t] = x; }
};
struct Wide {
    u64 v[T];
};
struct Flag {
    bool v[T];
};

#define OF_WORDS(op)                              \
    inline Word operator op(Word x, Word y) {     \
        LANES x.v[t] = x.v[t] op y.v[t];          \
        return x;                                 \
    }
OF_WORDS(+)
OF_WORDS(-)
OF_WORDS(*)
OF_WORDS(&)
OF_WORDS(|)
OF_WORDS(^)

inline Word operator~(Word x) { return x ^ Word(~0u); }
inline Wide operator+(Wide x, Wide y) {
    bool over = false;
    LANES over |= __builtin_add_overflow(x.v[t], y.v[t], &x.v[t]);
    if (over) stop("a column is too large");
    return x;
}
inline Wide operator>>(Wide x, int bits) {
    LANES x.v[t] >>= bits;
    return x;
}
inline Flag is_lane(int i) {
    Flag f;
    LANES f.v[t] = t == i;
    return f;
}
inline Word choose(Flag f, Word x, Word y) {
    LANES x.v[t] = f.v[t] ? x.v[t] : y.v[t];
    return x;
}
inline Word low(Wide x) {
    Word z;
    LANES z.v[t] = (u32)x.v[t];
    return z;
}
inline Word high(Wide x) { return low(x >> 32); }
inline Wide wide(Word low, Word high) {
    Wide z;
    LANES z.v[t] = low.v[t] | (u64)high.v[t] << 32;
    return z;
}
inline Wide mad(Wide sum, const Word& x, const Word& y) {
    u64 over = 0;
    LANES {
        const u64 z = sum.v[t] + (u64)x.v[t] * y.v[t];
        over |= z < sum.v[t];
        sum.v[t] = z;
    }
    if (over) stop("a column is too large");
    return sum;
}
inline Word sign_shift(Word x, int bits) {
    LANES x.v[t] = (u32)((int)x.v[t] >> bits);
    return x;
}
inline Word from_lane(Word x, int i) { return Word(x.v[i]); }
inline Word from_above(Word x) {
    Word z;
    LANES z.v[t] = x.v[(t + 1) % T];
    return z;
}
inline Word from_below(Word x) {
    Word z;
    LANES z.v[t] = t ? x.v[t - 1] : 0;
    return z;
}
inline Word fetch(const u32* p, int i, i64 limit) {
    Word z;
    LANES z.v[t] = t * KT + i < limit ? p[t * KT + i] : 0;
    return z;
}
inline void put(u32* p, int i, Word x, bool) { LANES p[t * KT + i] = x.v[t]; }
inline Word fetch_across(const u32* p) {
    Word z;
    LANES z.v[t] = p[t];
    return z;
}
inline void put_across(u32* p, Word x, bool) { LANES p[t] = x.v[t]; }
inline void put_any(u32* p, Word x, bool) { LANES *p |= x.v[t] != 0; }

// x < factor*N + slack, with limbs of at most 2^29.
template <class Number>
void verify_number(const Number& x, const Number& n, i64 factor, i64 slack) {
    __int128 difference = -slack;
    for (int i = 0; i < K; i++) {
        const u32 limb = x.w[i % KT].v[i / KT];
        if (limb > (1u << BITS)) stop("a limb is too large");
        difference += limb - factor * (i64)n.w[i % KT].v[i / KT];
        if (i + 1 < K) difference >>= BITS;
    }
    if (difference >= 0) stop("an operand is too large");
}

template <class Field, class Residue>
void verify_pair(const Field& m, const Residue& x) {
    verify_number(x.x0, m.n, 2, 0);
    verify_number(x.x1, m.n, 4, 16);
}
#define VERIFY verify_pair
