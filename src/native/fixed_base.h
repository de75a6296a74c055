// Powers of one base by secret exponents, from a table in logarithmic form.
#pragma once

#include <vector>

#include "ring.h"

namespace vecphe {

// Row r holds Y = base^(j * 2^(w*r)) for j < 2^w as y0 and the logarithm l = y1/y0 * R mod n, limb columns of 2^w
// adjacent words each: a product of entries is the product of their y0, delayed, times 1 + (sum of l)*n/R.
class FixedBase {
public:
    // seeds: the base and its inverse. bits > 0, 1 <= window <= 12.
    FixedBase(const Ring& ring, const Batch& seeds, std::size_t bits, int window);

    std::size_t table_bytes() const { return (table_.words() + single_.words()) * kWordBytes; }
    // exponents: count rows of `words` words; bits above those of the table are ignored. Constant time.
    Batch power_secret(const std::uint64_t* exponents, std::size_t words, std::size_t count) const;

private:
    struct Accumulator;

    void build_rows(const Batch& seeds);
    void build_group(std::size_t first_row, const std::uint64_t* bases, const std::uint64_t* inverses,
                     const std::uint64_t* logs);
    void build_single();
    void power_groups(Batch& result, std::size_t first_group, std::size_t groups, const std::uint64_t* exponents,
                      std::size_t words) const;
    void select(std::uint64_t* chosen, int coordinates, std::uint64_t* logs, std::size_t r, const std::uint64_t* digits,
                std::size_t groups) const;
    void read_digits(std::uint64_t* digits, std::size_t r, std::size_t first, std::size_t lanes,
                     const std::uint64_t* exponents, std::size_t words, std::size_t count) const;
    void prefetch(std::size_t r, std::size_t part, std::size_t parts) const;
    void power_single(std::uint64_t* result, const std::uint64_t* exponent, std::size_t words) const;
    void close(std::uint64_t* pair, const std::uint64_t* delayed, std::uint64_t* log) const;
    void fold_log(std::uint64_t* log) const;

    std::size_t size() const { return static_cast<std::size_t>(ring_->k()) * kLanes; }
    std::uint64_t* row(std::size_t r) { return table_.data() + r * row_words_; }
    const std::uint64_t* row(std::size_t r) const { return table_.data() + r * row_words_; }

    const Ring* ring_;
    std::size_t bits_;
    int window_;
    std::size_t rows_;
    std::size_t entries_;  // 2^window, at least 16: the rest of a row is zero
    std::size_t row_words_;
    Buffer table_;
    // The same powers with rows of 4 bits, eight rows side by side in the lanes: for exponents that come one by one.
    std::size_t single_steps_ = 0;
    Buffer single_;
};

}  // namespace vecphe
