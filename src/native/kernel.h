// The contract between the algorithms (ring, fixed_base, power, decryptor) and the targets.
//
// Numbers. A residue X mod N^2 is kept in pair form X = x0 + x1*N, each coordinate in Montgomery scaling with
// R = 2^(52k), in radix 2^52: limb i has weight 2^(52i). N is odd and 16N < R. Eight independent residues
// ("lanes") are computed at once, each with a modulus of its own.
//
// Memory. A *column* is one limb of eight residues: 8 words, 64-byte aligned. A coordinate is k columns, a pair
// is 2k columns (x0 first), a double coordinate is 2k columns. Idle lanes hold valid values, too.
//
// Bounds, asserted by the VERIFY build on every entry and exit:
//   limb         every limb of an operand lies in [0, 2^52)
//   x0 < 1.25N   x1 < 3N   of a pair that goes into a product
//   z0 < 1.25N   z1 < 1.5N + 2   of a pair that comes out of one
// so one plain addition of second coordinates may happen between two products. Accumulators are two's complement
// and stay below 2^63 in magnitude for k <= 341.
//
// Timing. Every kernel here is constant time: its instructions and addresses depend on k and on table sizes,
// never on limbs or digits.
//
// Kernels that multiply or read tables begin with a checkpoint (checkpoint.h), so any of them may throw; nothing is
// written then.
//
// A target brings a vector type V, on which the algorithms are templates:
//   Reg, Mask       `lanes` words of 64 bits, and a truth value for each
//   zero, set1, load, store, add, sub, band, bor, bor3, equal, negative, blend(m, a, b) = m ? b : a
//   sra52           arithmetic shift right by 52 bits
//   Factor          a limb in the form that products want: factor(limb), low_factor(acc) of what stands in the low 52
//                   bits, limb_of(factor) back again. Where `converted` says that this costs, coordinates are converted
//                   once for all their rows, and lie in memory by load_factor and store_factor.
//   multiply_add    (low, high, a, b): low += the low 52 bits of a*b, high += the high ones
//   add_low, add_high, low_product   one half of it, added or as a factor
//   settled         (acc, lows, highs): an accumulator after that many halves were added. Where a target adds constants
//                   with each, in exchange for speed, it takes them off here; the sums may wrap in between.
//   block_of, pick_if   the number of the block of `block` entries that a digit lies in; the entry (digit mod block) of
//                   the block at p in the lanes of a mask, else 0
//   Environment     what every kernel keeps on its stack while it computes: the guard of a floating-point environment
//   opaque          has the compiler forget what it knows of a factor, where it could leave out products
//   rows            limbs of a factor to hold in registers, where products are woven; 0: never woven
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace vecphe {

constexpr int kLanes = 8;
constexpr int kFewLanes = 4;
constexpr int kLimbBits = 52;
constexpr std::uint64_t kLimbMask = (std::uint64_t{1} << kLimbBits) - 1;
constexpr int kMaxLimbs = 160;    // 8192-bit keys need 158
constexpr int kModulusSlack = 4;  // bits of R above N, for products
constexpr int kTableSlack = 12;   // bits of R above N, for sums of logarithms in tables of powers as well
constexpr int kPeakMultiplyAdds = 16;
constexpr int kSharedBlock = 16;   // rows of a shared table are padded to a multiple of this many entries
constexpr int kSelectGroups = 16;  // groups to look up together: their choices still fit the second-level cache

// The environment of targets that compute with integers alone.
struct AnyEnvironment {};

// Constants of one modulus per lane; all pointers to columns.
struct Modulus {
    int k;
    const std::uint64_t* n;      // k columns: N
    const std::uint64_t* kn;     // k columns: the least multiple of N that is >= R; its top limb may reach 2^52
    const std::uint64_t* n0inv;  // 1 column: -1/N mod 2^52
    const std::uint64_t* r;      // k columns: R mod N
};

// What a target offers. `o` never has to be distinct from an operand.
struct Kernels {
    // (o0, o1) = X*Y/R mod N^2. In and out: pairs within the bounds above.
    void (*product)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y);
    // The same with Y = X.
    void (*square)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x);
    // o = x*y/R mod N for coordinates x, y < R with x*y < R*N*B. Out: o < (B + 1)N.
    void (*montgomery)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y);
    // o = (x*y - s)/R mod N for x < 1.25N and y, s < R. Out: o < 2.25N + 2.
    void (*montgomery_minus)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y,
                             const std::uint64_t* s);
    // Delayed form of a product of two coordinates: x*y/R = o0 - o1*N/R mod N^2. In: x, y < N. Out: o0 < 1.25N, o1 < R.
    void (*delayed)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y);
    // Product of two delayed forms, v0 - v1*N/R and w0 - w1*N/R. In and out: v0, w0 < 1.25N, v1, w1 < R.
    void (*delayed_product)(const Modulus& m, std::uint64_t* o, const std::uint64_t* v, const std::uint64_t* w);
    // (o0, o1) = (P + S*N)/R mod N^2. In: P a double coordinate < R*N/4, S < R a coordinate or null for 0.
    // Out: o0 <= N + P/R, o1 <= N + 2.
    void (*reduce)(const Modulus& m, std::uint64_t* o, const std::uint64_t* p, const std::uint64_t* s);
    // o = x - N where x >= N, else x.
    void (*subtract_once)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x);
    // o = x + y, carried. In: 0 <= x + y < R; limbs may be signed and up to 2^62 in magnitude.
    void (*add)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y);
    // o = x*y + s, a double coordinate with canonical limbs. In: x, y, s < R; the result fits.
    void (*expand)(const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* y,
                   const std::uint64_t* s);
    // o[g] column c lane l = row[c*entries + digits[8g + l]] for c < columns and g < groups, or is increased by it if
    // `add`; o[g] starts at o + 8*g*group_columns. entries is a multiple of 16; digits < entries.
    void (*select_shared)(std::uint64_t* o, int group_columns, const std::uint64_t* row, int entries, int columns,
                          const std::uint64_t* digits, int groups, bool add);
    // o column c lane l = table[digits[l]] column c lane l, for tables of `entries` times `columns` columns.
    void (*select_private)(std::uint64_t* o, const std::uint64_t* table, int entries, int columns,
                           const std::uint64_t* digits);
};

// k, if kernels exist for that many limbs.
inline int checked_limbs(int k) {
    if (k < 1 || k > kMaxLimbs) throw std::invalid_argument("k must be 1 to 160 limbs");
    return k;
}

struct Target {
    const char* name;
    int lanes;                         // residues one instruction works on
    std::string (*why_not)();          // why this machine does not run it, or nothing if it does
    const Kernels* (*kernels)(int k);  // the kernels for k limbs
    const Kernels* (*few)(int k);      // the same for lanes 0..3 only; what they leave in the others is undefined
    std::uint64_t (*peak)(
        std::uint64_t rounds);  // `rounds` times kPeakMultiplyAdds multiply-adds of all lanes, and no more
};

}  // namespace vecphe
