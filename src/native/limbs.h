// Between little-endian bytes and one lane of columns. Constant time: addresses depend on lengths only.
#pragma once

#include <cstring>
#include <vector>

#include "declassify.h"
#include "kernel.h"

namespace vecphe {

// The 8 bytes from `offset`, zero beyond the end.
inline std::uint64_t word_at(const std::uint8_t* bytes, std::size_t size, std::size_t offset) {
    std::uint64_t word = 0;
    if (offset + 8 <= size)
        std::memcpy(&word, bytes + offset, 8);
    else if (offset < size)
        std::memcpy(&word, bytes + offset, size - offset);
    return word;
}

// Bits of the integer in `bytes`, without leading zeros.
inline std::size_t bit_length(const std::vector<std::uint8_t>& bytes) {
    for (std::size_t size = bytes.size(); size > 0; size--) {
        std::uint8_t top = bytes[size - 1];
        declassify(&top, 1);  // the length of a secret is public
        if (top) return 8 * size - static_cast<std::size_t>(__builtin_clz(top) - 24);
    }
    return 0;
}

// Words of an exponent of `bits` bits.
constexpr std::size_t words_of(std::size_t bits) { return bits / 64 + (bits % 64 != 0); }

// Limbs 0..k of the integer in `size` bytes, into one lane; what lies above 2^(52k) is left out.
inline void limbs_from_bytes(std::uint64_t* columns, int lane, int k, const std::uint8_t* bytes, std::size_t size) {
    for (int i = 0; i < k; i++) {
        const std::size_t bit = static_cast<std::size_t>(i) * kLimbBits;
        columns[i * kLanes + lane] = (word_at(bytes, size, bit / 8) >> (bit % 8)) & kLimbMask;
    }
}

// The low `size` bytes of the integer in k canonical limbs of one lane.
inline void bytes_from_limbs(std::uint8_t* bytes, std::size_t size, const std::uint64_t* columns, int lane, int k) {
    std::uint64_t bits = 0;
    int held = 0;
    std::size_t done = 0;
    for (int i = 0; i < k && done < size; i++) {
        const std::uint64_t limb = columns[i * kLanes + lane];
        // held is 0 or 4 here: 52 bits are 6 bytes and a half.
        bits |= limb << held;
        const int whole = (held + kLimbBits) / 8;
        for (int b = 0; b < whole && done < size; b++, done++) bytes[done] = static_cast<std::uint8_t>(bits >> (8 * b));
        held = held + kLimbBits - 8 * whole;
        bits = held ? limb >> (kLimbBits - held) : 0;
    }
    if (done < size) {
        bytes[done++] = static_cast<std::uint8_t>(bits);
        std::memset(bytes + done, 0, size - done);
    }
}

// Bits [first, first + count) of an exponent in `words` words; count <= 32, zero beyond the end.
inline std::uint64_t digit_at(const std::uint64_t* exponent, std::size_t words, std::size_t first, int count) {
    const std::size_t i = first / 64;
    const int shift = static_cast<int>(first % 64);
    std::uint64_t digit = i < words ? exponent[i] >> shift : 0;
    if (shift + count > 64 && i + 1 < words) digit |= exponent[i + 1] << (64 - shift);
    return digit & ((std::uint64_t{1} << count) - 1);
}

}  // namespace vecphe
