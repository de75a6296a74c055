// Batches of residues mod N^2 on a GPU: one residue to a group of T threads, KT limbs of every coordinate to a thread.
//
// Numbers. A residue X mod N^2 is a pair X = x0 + x1*N, each coordinate in Montgomery scaling with R = 2^(29K), K = T*KT,
// in radix 2^29. Lane t of a group holds limbs t*KT to t*KT + KT - 1, all in registers. With 29 bits a product of limbs
// leaves six bits of a 64-bit accumulator free: a column takes the 3*KT products of a step without a carry, KT <= 20.
//
// Bounds, asserted by the host build:
//   N            odd, 2^12 N <= R for rings, 2^7 N <= R for the primes of a decryptor
//   limb         at most 2^29; the topmost of a number may be larger (below 2^32 as a start, below 2^30 as an operand)
//   x0 < 2N      x1 < 4N   of a pair that goes into a product
//   z0 < 1.05N   z1 < 2.5N + 6   of a pair that comes out of a kernel
//
// Products, as in src/native/generic/pair.h, with BIAS a multiple of N whose digits are larger than those of any m:
//   P = x0*y0,  m = -P/N mod R,  z0 = (P + m*N)/R;   z1 = (x0*y1 + x1*y0 + BIAS - m)/R mod N;   X*Y/R = z0 + z1*N
//   delayed form  V = v0 - v1*N/R:  z1 = (v0*w1 + v1*w0)/R + m,  so a product of plain coordinates is just (z0, m)
//
// Timing. No branch and no address depends on limbs or on digits of a power; tables of powers are read whole. Only
// `fixed_base` reads its table at addresses that depend on its digits (SECURITY.md).
//
// Compiled with -DGROUP_LANES=T -DLANE_LIMBS=KT; Word, Wide and Flag are what one lane holds. On the host they are those of all T lanes.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define T GROUP_LANES
#define KT LANE_LIMBS
#define BITS 29
#define MASK ((1u << BITS) - 1)
#define K (T * KT)
#define WINDOW 4  // bits of an exponent that a step of `power` takes
#define ENTRIES (1 << WINDOW)

#ifdef __CUDACC__
#define INLINE __device__ __forceinline__
#define UNROLLED _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#ifndef THREADS
#define THREADS 128
#endif
#ifndef BLOCKS
#define BLOCKS (KT <= 9 ? 4 : 2)
#endif
#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) name(i64 count, __VA_ARGS__)
#define THREAD_ID (blockIdx.x * (i64)blockDim.x + threadIdx.x)
// The last threads repeat the last group: all lanes of a warp take part in its exchanges.
#define GROUPS(id)                                \
    const bool active = THREAD_ID / T < count;    \
    const i64 id = active ? THREAD_ID / T : count - 1;
#define ITEMS(id) \
    for (i64 id = THREAD_ID; id < count; id += count)

typedef u32 Word;
typedef u64 Wide;
typedef bool Flag;

INLINE int lane() { return threadIdx.x % T; }
INLINE Flag is_lane(int i) { return lane() == i; }
INLINE Word choose(Flag f, Word a, Word b) { return f ? a : b; }
INLINE Word low(Wide x) { return (u32)x; }
INLINE Word high(Wide x) { return (u32)(x >> 32); }
INLINE Wide wide(Word low, Word high) { return low | (u64)high << 32; }
INLINE Wide mad(Wide sum, Word x, Word y) { return sum + (u64)x * y; }
INLINE Word sign_shift(Word x, int bits) { return (u32)((int)x >> bits); }
INLINE Word from_lane(Word x, int i) { return __shfl_sync(~0u, x, i, T); }
INLINE Word from_above(Word x) { return __shfl_sync(~0u, x, lane() + 1, T); }  // lane 0's goes to the last lane
INLINE Word from_below(Word x) { return choose(is_lane(0), 0, __shfl_sync(~0u, x, lane() + T - 1, T)); }
INLINE Word fetch(const u32* p, int i, i64 limit) {
    const int at = lane() * KT + i;
    return at < limit ? p[at] : 0;
}
INLINE void put(u32* p, int i, Word x, bool active) {
    if (active) p[lane() * KT + i] = x;
}
INLINE Word fetch_across(const u32* p) { return *(const volatile u32*)(p + lane()); }
INLINE void put_across(u32* p, Word x, bool active) {
    if (active) p[lane()] = x;
}
INLINE void put_any(u32* p, Word x, bool active) {
    if (active && x) atomicOr(p, 1u);
}
#define VERIFY(...)
#else
#include "lanes_of_host.h"
#endif

struct Num {
    Word w[KT];
};

struct Pair {
    Num x0, x1;
};

// Constants of a modulus: rows of K limbs in memory, as cuda.py lays them out; -1/N mod 2^29 stands alone in the last.
enum { ROW_N, ROW_BIAS, ROW_ONE, ROW_ONE1, ROW_CUBE, ROW_CUBE1, ROW_COFACTOR, ROW_SCALE, ROW_OTHER, ROW_INVERSE, ROWS };

struct Modulus {
    Num n;
    u32 inverse;
    const u32* rows;
};

INLINE Num read(const u32* p, i64 limit = K) {
    Num z;
    UNROLLED for (int i = 0; i < KT; i++) z.w[i] = fetch(p, i, limit);
    return z;
}

INLINE Pair read_pair(const u32* p) {
    Pair z = {read(p), read(p + K)};
    return z;
}

INLINE void write(u32* p, const Num& x, bool active) {
    UNROLLED for (int i = 0; i < KT; i++) put(p, i, x.w[i], active);
}

INLINE void write_pair(u32* p, const Pair& x, bool active) {
    write(p, x.x0, active);
    write(p + K, x.x1, active);
}

INLINE Modulus modulus(const u32* rows) {
    Modulus m = {read(rows), rows[ROW_INVERSE * K], rows};
    return m;
}

INLINE Num row(const Modulus& m, int i) { return read(m.rows + i * K); }

INLINE Num minus(const Num& x, const Num& y) {
    Num z;
    UNROLLED for (int i = 0; i < KT; i++) z.w[i] = x.w[i] - y.w[i];
    return z;
}

INLINE Num twice(const Num& x) {
    Num z;
    UNROLLED for (int i = 0; i < KT; i++) z.w[i] = x.w[i] + x.w[i];
    return z;
}

INLINE Num choose(Flag f, const Num& x, const Num& y) {
    Num z;
    UNROLLED for (int i = 0; i < KT; i++) z.w[i] = choose(f, x.w[i], y.w[i]);
    return z;
}

// A double coordinate under construction: lane t holds the 2*KT columns from t*KT on, relative to the digit that lane 0
// finishes next.
struct Columns {
    Wide c[2 * KT];
};

INLINE Columns columns(const Num& x) {
    Columns s;
    UNROLLED for (int i = 0; i < KT; i++) {
        s.c[i] = wide(x.w[i], 0);
        s.c[KT + i] = wide(0, 0);
    }
    return s;
}

INLINE void add(Columns& s, const Num& x) {
    UNROLLED for (int i = 0; i < KT; i++) s.c[i] = s.c[i] + wide(x.w[i], 0);
}

// s += xa*ya + xb*yb (P of the two products), then s /= R. Divide: after adding digits*N, which makes it divisible;
// otherwise digits are the remainder. A step takes KT rows; a finished column is in order in every lane, so what moves
// to the lane below are limbs.
template <int P, bool Divide>
INLINE void rows(Columns& s, Num& digits, const Modulus& m, const Num& xa, const Num& ya, const Num& xb, const Num& yb) {
    ROLLED for (int b = 0; b < T; b++) {
        Word done[KT], a[KT], c[KT];
        UNROLLED for (int i = 0; i < KT; i++) {
            if (P > 0) a[i] = from_lane(ya.w[i], b);
            if (P > 1) c[i] = from_lane(yb.w[i], b);
        }
        UNROLLED for (int i = 0; i < KT; i++) {
            UNROLLED for (int j = 0; j < KT; j++) {
                if (P > 0) s.c[i + j] = mad(s.c[i + j], xa.w[j], a[i]);
                if (P > 1) s.c[i + j] = mad(s.c[i + j], xb.w[j], c[i]);
            }
            Word digit;
            if (Divide) {
                digit = from_lane((low(s.c[i]) * m.inverse) & MASK, 0);
                UNROLLED for (int j = 0; j < KT; j++) s.c[i + j] = mad(s.c[i + j], m.n.w[j], digit);
                done[i] = low(s.c[i]) & MASK;
            } else {
                digit = from_lane(low(s.c[i]) & MASK, 0);
                done[i] = choose(is_lane(0), 0, low(s.c[i]) & MASK);
            }
            digits.w[i] = choose(is_lane(b), digit, digits.w[i]);
            s.c[i + 1] = s.c[i + 1] + (s.c[i] >> BITS);
        }
        UNROLLED for (int i = 0; i < KT; i++) {
            s.c[i] = s.c[KT + i] + wide(from_above(done[i]), 0);
            s.c[KT + i] = wide(0, 0);
        }
    }
}

// The low columns as limbs of at most 2^29: one carry from lane to lane, of which at most 1 stays in the topmost limb.
INLINE Num carried(const Columns& s) {
    Num z;
    Wide c = wide(0, 0);
    UNROLLED for (int i = 0; i < KT; i++) {
        c = c + s.c[i];
        z.w[i] = i < KT - 1 ? low(c) & MASK : choose(is_lane(T - 1), low(c), low(c) & MASK);
        c = c >> BITS;
    }
    c = wide(from_below(low(c)), from_below(high(c)));
    UNROLLED for (int i = 0; i < KT; i++) {
        c = c + wide(z.w[i], 0);
        z.w[i] = i < KT - 1 ? low(c) & MASK : low(c);
        c = c >> BITS;
    }
    return z;
}

// Limbs below 2^29 from signed ones; the topmost keeps the sign of the number. Each turn puts one more lane in order.
INLINE void settle(Num& z) {
    Word c = low(wide(0, 0));
    ROLLED for (int turn = 0; turn < T; turn++) {
        UNROLLED for (int i = 0; i < KT - 1; i++) {
            c = z.w[i] + c;
            z.w[i] = c & MASK;
            c = sign_shift(c, BITS);
        }
        c = z.w[KT - 1] + c;
        z.w[KT - 1] = choose(is_lane(T - 1), c, c & MASK);
        c = from_below(sign_shift(c, BITS));
    }
}

// z - n where z >= n, else z; z is in order. Returns how often n was subtracted.
INLINE Word subtract_once(Num& z, const Num& n) {
    Num d = minus(z, n);
    settle(d);
    const Word negative = from_lane(sign_shift(d.w[KT - 1], 31), T - 1);
    UNROLLED for (int i = 0; i < KT; i++) z.w[i] = (z.w[i] & negative) | (d.w[i] & ~negative);
    return negative + 1;
}

// x*y/R mod N; digits receives m.
INLINE Num montgomery(const Modulus& m, Num& digits, const Num& x, const Num& y) {
    Columns s = columns(minus(x, x));
    rows<1, true>(s, digits, m, x, y, x, y);
    return carried(s);
}

// (x + BIAS - y)/R mod N for y with limbs below 2^30.
INLINE Num remainder(const Modulus& m, const Num& x, const Num& y) {
    Num unused;
    Columns s = columns(minus(row(m, ROW_BIAS), y));
    add(s, x);
    rows<0, true>(s, unused, m, x, x, x, x);
    return carried(s);
}

// x/R mod N for a coordinate of 2K limbs.
INLINE Num reduced(const Modulus& m, Num& digits, const Num& x_low, const Num& x_high) {
    Columns s = columns(x_low);
    rows<0, true>(s, digits, m, x_low, x_low, x_low, x_low);
    add(s, x_high);
    return carried(s);
}

INLINE Pair product(const Modulus& m, const Pair& x, const Pair& y) {
    VERIFY(m, x);
    VERIFY(m, y);
    Num digits, unused;
    Pair z;
    z.x0 = montgomery(m, digits, x.x0, y.x0);
    Columns s = columns(minus(row(m, ROW_BIAS), digits));
    rows<2, true>(s, unused, m, x.x0, y.x1, x.x1, y.x0);
    z.x1 = carried(s);
    return z;
}

INLINE Pair square(const Modulus& m, const Pair& x) {
    VERIFY(m, x);
    Num digits, unused;
    Pair z;
    z.x0 = montgomery(m, digits, x.x0, x.x0);
    Columns s = columns(minus(row(m, ROW_BIAS), digits));
    const Num x1 = twice(x.x1);
    rows<1, true>(s, unused, m, x1, x.x0, x1, x.x0);
    z.x1 = carried(s);
    return z;
}

// X/R as a pair, of a number X of 2K limbs, times R^3/R.
INLINE Pair entered(const Modulus& m, const Num& x_low, const Num& x_high) {
    Num digits;
    Pair z;
    z.x0 = reduced(m, digits, x_low, x_high);
    z.x1 = remainder(m, minus(digits, digits), digits);
    return product(m, z, read_pair(m.rows + ROW_CUBE * K));
}

// X/R: z0 <= N, z1 <= N + 5.
INLINE Pair left(const Modulus& m, const Pair& x) {
    Num digits;
    Pair z;
    z.x0 = reduced(m, digits, x.x0, minus(x.x0, x.x0));
    z.x1 = remainder(m, x.x1, digits);
    return z;
}

INLINE Word make_canonical(const Modulus& m, Num& x) {
    settle(x);
    return subtract_once(x, m.n);
}

// --- words and copies ---------------------------------------------------------------------------------------------

// Word j of a row of `width` words of `bits` bits, from rows of `from_width` words of `from_bits` bits.
KERNEL(repack, u32* out, const u32* in, i64 width, i64 bits, i64 from_width, i64 from_bits) {
    ITEMS(id) {
        const u32* words = in + id / width * from_width;
        const i64 first = id % width * bits;
        i64 at = first / from_bits;
        int known = -(int)(first % from_bits);
        u64 x = at < from_width ? words[at] >> -known : 0;
        for (known += (int)from_bits, at++; known < bits && at < from_width; known += (int)from_bits, at++)
            x |= (u64)words[at] << known;
        out[id] = (u32)(x & ((1ull << bits) - 1));
    }
}

// Word id of the rows of `width` words at `indices`.
KERNEL(gather, u32* out, const u32* in, const u32* indices, i64 width) {
    ITEMS(id) out[id] = in[indices[id / width] * width + id % width];
}

// --- rings --------------------------------------------------------------------------------------------------------

// Pairs of numbers below N^2, 2K limbs each.
KERNEL(load, u32* out, const u32* in, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        write_pair(out + id * 2 * K, entered(m, read(in + id * 2 * K), read(in + id * 2 * K + K)), active);
    }
}

// Out of Montgomery scaling: coordinates z0 and z1, or (whole) the canonical limbs of z0 + z1*N.
KERNEL(store, u32* out, const u32* in, const u32* constants, i64 whole) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        Pair z = left(m, read_pair(in + id * 2 * K));
        if (whole) {
            const Word above = make_canonical(m, z.x0);
            z.x1.w[0] = z.x1.w[0] + choose(is_lane(0), above, 0);
            make_canonical(m, z.x1);
            Columns s = columns(z.x0);
            rows<1, false>(s, z.x0, m, z.x1, m.n, z.x1, m.n);
            z.x1 = carried(s);
            settle(z.x1);
        }
        write_pair(out + id * 2 * K, z, active);
    }
}

// Residue o*block + r of the result is left[o*span + r] * right[o*span + shift + r], or the former if shift + r >= span.
KERNEL(multiply, u32* out, const u32* left, const u32* right, const u32* constants, i64 block, i64 span, i64 shift) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        const i64 r = id % block, at = id / block * span + r;
        const u32* y = shift + r < span ? right + (at + shift) * 2 * K : constants + ROW_ONE * K;
        write_pair(out + id * 2 * K, product(m, read_pair(left + at * 2 * K), read_pair(y)), active);
    }
}

// (x0 + x1*N)(1 + p*N) = x0 + (x1 + p*x0)*N for plaintexts p of 2K limbs plus an offset.
KERNEL(multiply_plain, u32* out, const u32* in, const u32* plaintexts, const u32* offset, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        const Num one = row(m, ROW_ONE);
        Num digits;
        Columns p = columns(read(plaintexts + id * 2 * K));
        add(p, read(offset));
        Num factor = reduced(m, digits, carried(p), read(plaintexts + id * 2 * K + K));
        factor = montgomery(m, digits, factor, row(m, ROW_CUBE));
        Pair x = read_pair(in + id * 2 * K);
        VERIFY(m, x);
        Columns s = columns(minus(one, one));
        rows<2, true>(s, digits, m, factor, x.x0, one, x.x1);
        x.x1 = carried(s);
        write_pair(out + id * 2 * K, x, active);
    }
}

// --- powers -------------------------------------------------------------------------------------------------------

// Base b, which is in[b % inputs], modulo constants b % moduli, to the powers 0 to 15; a word of `out` for every lane
// of every base, entry after entry.
KERNEL(powers, u32* out, const u32* in, const u32* constants, i64 moduli) {
    GROUPS(id) {
        const Modulus m = modulus(constants + id % moduli * ROWS * K);
        const Pair base = read_pair(in + id * 2 * K);
        Pair x = read_pair(m.rows + ROW_ONE * K);
        ROLLED for (int e = 0; e < ENTRIES; e++) {
            u32* entry = out + (e * 2 * KT * count + id) * T;
            UNROLLED for (int i = 0; i < KT; i++) {
                put_across(entry + i * count * T, x.x0.w[i], active);
                put_across(entry + (KT + i) * count * T, x.x1.w[i], active);
            }
            x = product(m, x, base);
        }
    }
}

// The products over j < columns of base[id % segments * columns + j] ** exponent[(id*columns + j) % exponents], by
// Straus' method. Exponents are rows of `steps` digits, least significant first.
KERNEL(power, u32* out, const u32* tables, const u32* digits, const u32* constants, i64 moduli, i64 bases, i64 segments,
       i64 columns, i64 exponents, i64 steps) {
    GROUPS(id) {
        const Modulus m = modulus(constants + id % moduli * ROWS * K);
        Pair x = read_pair(m.rows + ROW_ONE * K);
        ROLLED for (i64 step = steps - 1; step >= 0; step--) {
            ROLLED for (int i = 0; i < (step < steps - 1 ? WINDOW : 0); i++) x = square(m, x);
            ROLLED for (i64 j = 0; j < columns; j++) {
                const u32 digit = digits[(id * columns + j) % exponents * steps + step];
                const u32* entry = tables + (id % segments * columns + j) * T;
                Pair y = {minus(x.x0, x.x0), minus(x.x0, x.x0)};
                ROLLED for (u32 e = 0; e < ENTRIES; e++) {
                    const u32 difference = e ^ digit, mask = (difference | (0u - difference)) >> 31;
                    UNROLLED for (int i = 0; i < KT; i++) {
                        y.x0.w[i] = y.x0.w[i] | (fetch_across(entry + i * bases * T) & (mask - 1));
                        y.x1.w[i] = y.x1.w[i] | (fetch_across(entry + (KT + i) * bases * T) & (mask - 1));
                    }
                    entry += 2 * KT * bases * T;
                }
                x = product(m, x, y);
            }
        }
        write_pair(out + id * 2 * K, x, active);
    }
}

// --- fixed bases ----------------------------------------------------------------------------------------------------

// Row r of a table holds Y = B^(d * 2^(window*r)) for d < 2^window in logarithmic form, Y = y0 + y0*l*N: y0 and l*R
// mod N, and while it is made l*R^2, with j = -R^2/y0 beside it. Of a product, z0 = (y0*z0 + m*N)/R:
//   l_YZ = l_Y + l_Z - m/(R*z0),  1/z0 = R/(y0*z0)
// Entries below 2^bit of each row, times B^(2^(window*r + bit)), are those from 2^bit on; `powers` holds y0, l*R^2 and
// +R^2/y0 of all these.
KERNEL(grow_table, u32* table, u32* inverses, const u32* powers, const u32* constants, i64 window, i64 bit) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        const i64 r = id >> bit, from = (r << window) + (id & ((1ll << bit) - 1)), to = from + (1ll << bit);
        const u32* y = powers + (r * window + bit) * 3 * K;
        Num digits, unused;
        const Num z0 = montgomery(m, digits, read(table + from * 2 * K), read(y));
        const Num inverse = montgomery(m, unused, read(inverses + from * K), read(y + 2 * K));
        Columns s = columns(montgomery(m, unused, digits, inverse));
        add(s, read(table + from * 2 * K + K));
        add(s, read(y + K));
        write(table + to * 2 * K, z0, active);
        write(table + to * 2 * K + K, carried(s), active);
        write(inverses + to * K, inverse, active);
    }
}

KERNEL(close_table, u32* table, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        u32* l = table + id * 2 * K + K;
        const Num x = read(l);
        Num digits;
        write(l, reduced(m, digits, x, minus(x, x)), active);
    }
}

// Powers by digits, one a row of the table. Two rows a step, multiplied in delayed form (2K^2) and then into the power
// (5K^2). The sum of logarithms stays below R for 2^12 N <= R and at most 2048 rows.
KERNEL(fixed_base, u32* out, const u32* table, const u32* digits, const u32* constants, i64 table_rows, i64 window) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        const u32* digit = digits + id * table_rows;
        Pair v;
        Num sum, quotient, unused;
        ROLLED for (i64 r = 0; r < table_rows; r += 2) {
            const u32* even = table + ((r << window) + digit[r]) * 2 * K;
            const u32* odd = r + 1 < table_rows ? table + (((r + 1) << window) + digit[r + 1]) * 2 * K : table;  // 1
            const Num w0 = montgomery(m, quotient, read(even), read(odd));
            Columns logs = columns(read(even + K));
            add(logs, read(odd + K));
            if (r == 0) {
                v.x0 = w0;
                v.x1 = quotient;
            } else {
                add(logs, sum);
                Columns s = columns(minus(w0, w0));
                rows<2, true>(s, unused, m, v.x0, quotient, v.x1, w0);
                v.x0 = montgomery(m, quotient, v.x0, w0);
                add(s, quotient);
                v.x1 = carried(s);
            }
            sum = carried(logs);
        }
        Columns s = columns(minus(row(m, ROW_BIAS), v.x1));
        rows<1, true>(s, unused, m, sum, v.x0, sum, v.x0);
        v.x1 = carried(s);
        write_pair(out + id * 2 * K, v, active);
    }
}

// --- decryption: halves mod p^2 (even) and q^2 (odd) of ciphertexts x0 + x1*N, N = p*q ----------------------------

// The pair of x0 plus (0, x1*q), from coordinates of `width` limbs.
KERNEL(enter_halves, u32* out, const u32* in, i64 width, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants + id % 2 * ROWS * K);
        const u32* x = in + id / 2 * 2 * width;
        Num digits;
        Pair z = entered(m, read(x, width), read(x + K, width - K));
        const Num x1 = reduced(m, digits, read(x + width, width), read(x + width + K, width - K));
        Columns s = columns(montgomery(m, digits, x1, row(m, ROW_COFACTOR)));
        add(s, z.x1);
        z.x1 = carried(s);
        write_pair(out + id * 2 * K, z, active);
    }
}

// From X = c^(p-1) = 1 + L*p the coefficient L*h mod p; `wrong` is set where X is not 1 mod p.
KERNEL(logarithms, u32* out, u32* wrong, const u32* in, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants + id % 2 * ROWS * K);
        Num digits;
        Pair z = left(m, read_pair(in + id * 2 * K));
        make_canonical(m, z.x0);
        UNROLLED for (int i = 0; i < KT; i++)
            put_any(wrong, z.x0.w[i] ^ choose(is_lane(0), i == 0 ? 1 : 0, 0), active);
        Num l = montgomery(m, digits, z.x1, row(m, ROW_SCALE));
        make_canonical(m, l);
        write(out + id * K, l, active);
    }
}

// a*q + b*p < 2N from the coefficients a, b of both halves, 2K limbs.
KERNEL(combine, u32* out, const u32* in, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        const Num a = read(in + id * 2 * K), b = read(in + id * 2 * K + K);
        Columns s = columns(minus(a, a));
        Num x;
        rows<2, false>(s, x, m, a, row(m, ROW_OTHER), b, m.n);
        write(out + id * 2 * K, x, active);
        x = carried(s);
        settle(x);
        write(out + id * 2 * K + K, x, active);
    }
}

// x + offset mod N, for x < 2N in rows of `width` limbs.
KERNEL(finish, u32* out, const u32* in, i64 width, const u32* offset, const u32* constants) {
    GROUPS(id) {
        const Modulus m = modulus(constants);
        Columns s = columns(read(in + id * width, width));
        add(s, read(offset));
        Num x = carried(s);
        make_canonical(m, x);
        subtract_once(x, m.n);
        write(out + id * K, x, active);
    }
}
