#include "power.h"

#include <algorithm>

#include "limbs.h"
#include "table.h"

namespace vecphe {

namespace {

// More bits than there are would be zeros, at the cost of a squaring each.
void require_bits(std::size_t bits, std::size_t words) {
    if (words == 0 || words_of(bits) > words)
        throw std::invalid_argument("exponents of fewer words than their bits need");
}

}  // namespace

int power_window(std::size_t bits) {
    // In units of k^2/20: a table of 2^w entries, half of them squares, then a product a window and a look-up that
    // costs a fiftieth of a product an entry (it is bound by the second-level cache). Squarings are the same for all.
    // In integers, since what is inexact raises a flag, or traps, in the caller's floating-point environment.
    auto cost = [bits](int w) {
        const std::size_t entries = std::size_t{1} << w;
        const std::size_t windows = (bits + static_cast<std::size_t>(w) - 1) / static_cast<std::size_t>(w);
        return 85 * entries + windows * (100 + 2 * entries);
    };
    int best = 1;
    for (int w = 2; w <= 6; w++)
        if (cost(w) < cost(best)) best = w;
    return best;
}

void power_group(const Kernels& f, const Modulus& m, std::uint64_t* o, const std::uint64_t* x, const std::uint64_t* one,
                 const std::uint64_t* const* exponents, std::size_t words, std::size_t bits, int window) {
    const std::size_t pair = 2 * static_cast<std::size_t>(m.k) * kLanes;
    const int columns = 2 * m.k, entries = 1 << window;
    const auto secret = Buffer::Content::kSecret;
    Buffer table(static_cast<std::size_t>(entries) * pair, secret), entry(pair, secret), digits(kLanes, secret);
    auto power_of = [&](int e) { return table.data() + static_cast<std::size_t>(e) * pair; };
    std::memcpy(power_of(0), one, pair * kWordBytes);
    std::memcpy(power_of(1), x, pair * kWordBytes);
    for (int e = 2; e < entries; e++) {
        if (e % 2 == 0)
            f.square(m, power_of(e), power_of(e / 2));
        else
            f.product(m, power_of(e), power_of(e - 1), x);
    }
    const std::size_t w = static_cast<std::size_t>(window), windows = (bits + w - 1) / w;
    for (std::size_t i = windows; i-- > 0;) {
        const int width = static_cast<int>(std::min(w, bits - i * w));
        for (int lane = 0; lane < kLanes; lane++)
            digits.data()[lane] = exponents[lane] ? digit_at(exponents[lane], words, i * w, width) : 0;
        if (i + 1 == windows) {
            f.select_private(o, table.data(), entries, columns, digits.data());
            continue;
        }
        for (int s = 0; s < window; s++) f.square(m, o, o);
        f.select_private(entry.data(), table.data(), entries, columns, digits.data());
        f.product(m, o, o, entry.data());
    }
}

Batch power(const Ring& ring, const Batch& batch, const std::uint64_t* exponents, std::size_t words, std::size_t bits) {
    ring.check(batch);
    require_bits(bits, words);
    if (bits == 0) return ring.ones(batch.count());
    const int window = power_window(bits);
    const StackWiper wiper;
    Batch result(batch.count(), ring.k(), Buffer::Content::kSecret);
    for (std::size_t g = 0; g < batch.groups(); g++) {
        const std::uint64_t* lanes[kLanes];
        for (std::size_t lane = 0; lane < kLanes; lane++)
            lanes[lane] = kGroup * g + lane < batch.count() ? exponents + (kGroup * g + lane) * words : nullptr;
        power_group(ring.kernels_of(batch.count() - kGroup * g), ring.modulus(), result.group(g), batch.group(g),
                    ring.one(), lanes, words, bits, window);
    }
    ring.fill_idle(result);
    return result;
}

namespace {

// Window with the fewest products: `tables` columns of 2^w entries each, then a product a window, column and row;
// `lanes` is how many rows one product serves.
int straus_window(std::size_t bits, std::size_t rows, int most) {
    auto cost = [=](int w) {
        const std::size_t windows = (bits + static_cast<std::size_t>(w) - 1) / static_cast<std::size_t>(w);
        return 85 * (std::size_t{1} << w) + 106 * rows * windows;
    };
    int best = 1;
    for (int w = 2; w <= most; w++)
        if (cost(w) < cost(best)) best = w;
    return best;
}

// Straus with the rows in the lanes: one table a column of the matrix, shared by all rows.
class SharedStraus {
public:
    SharedStraus(const Ring& ring, const Batch& batch, std::size_t rows, std::size_t bits)
        : ring_(ring),
          batch_(batch),
          rows_(rows),
          bits_(bits),
          window_(straus_window(bits, rows, 8)),
          entries_(std::max<std::size_t>(std::size_t{1} << window_, kSharedBlock)),
          row_words_(2 * static_cast<std::size_t>(ring.k()) * entries_),
          table_(checked_size(batch.count(), row_words_)) {
        if (entries_ > std::size_t{1} << window_) table_.clear();
        for (std::size_t g = 0; g < batch.groups(); g++) build(g);
    }

    Batch run(const std::uint64_t* exponents, std::size_t words) const {
        const Kernels& f = ring_.kernels();
        Batch result = ring_.ones(rows_);
        const std::size_t w = static_cast<std::size_t>(window_), windows = (bits_ + w - 1) / w;
        Buffer chosen(kSelectGroups * result.stride()), digits(kSelectGroups * kLanes);
        for (std::size_t i = windows; i-- > 0;) {
            if (i + 1 < windows)
                for (std::size_t g = 0; g < result.groups(); g++)
                    for (int s = 0; s < window_; s++) f.square(ring_.modulus(), result.group(g), result.group(g));
            for (std::size_t j = 0; j < batch_.count(); j++)
                for (std::size_t g = 0; g < result.groups(); g += kSelectGroups)
                    multiply(result, g, j, i * w, exponents, words, chosen.data(), digits.data());
        }
        ring_.fill_idle(result);
        return result;
    }

private:
    // The powers 0 .. 2^w - 1 of eight residues, transposed into their tables.
    void build(std::size_t g) {
        const Kernels& f = ring_.kernels();
        const std::size_t lanes = std::min<std::size_t>(kLanes, batch_.count() - kGroup * g);
        EntryWriter writer(table_.data() + kGroup * g * row_words_, row_words_, lanes, 2 * ring_.k(), entries_);
        Buffer power(batch_.stride());
        std::memcpy(power.data(), ring_.one(), batch_.stride() * kWordBytes);
        for (std::size_t e = 0; e < std::size_t{1} << window_; e++) {
            if (e) f.product(ring_.modulus(), power.data(), power.data(), batch_.group(g));
            writer.write(power.data(), power.data() + batch_.stride() / 2);
        }
    }

    void multiply(Batch& result, std::size_t g, std::size_t column, std::size_t first, const std::uint64_t* exponents,
                  std::size_t words, std::uint64_t* chosen, std::uint64_t* digits) const {
        const Kernels& f = ring_.kernels();
        const std::size_t some = std::min<std::size_t>(kSelectGroups, result.groups() - g);
        const int width = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(window_), bits_ - first));
        for (std::size_t i = 0; i < some * kLanes; i++) {
            const std::size_t r = kGroup * g + i;
            digits[i] =
                r < rows_ ? digit_at(exponents + (r * batch_.count() + column) * words, words, first, width) : 0;
        }
        f.select_shared(chosen, 2 * ring_.k(), table_.data() + column * row_words_, static_cast<int>(entries_),
                        2 * ring_.k(), digits, static_cast<int>(some), false);
        for (std::size_t s = 0; s < some; s++)
            f.product(ring_.modulus(), result.group(g + s), result.group(g + s), chosen + s * result.stride());
    }

    const Ring& ring_;
    const Batch& batch_;
    std::size_t rows_, bits_;
    int window_;
    std::size_t entries_, row_words_;
    Buffer table_;
};

// Few rows: each row is cut into segments of columns so that rows times segments fill the lanes, every lane with tables
// of its own; the segments of a row are multiplied at the end.
Batch segmented_straus(const Ring& ring, const Batch& batch, const std::uint64_t* exponents, std::size_t rows,
                       std::size_t words, std::size_t bits) {
    const Kernels& f = ring.kernels();
    const std::size_t segments = kLanes / rows, columns = batch.count();
    const std::size_t steps = (columns + segments - 1) / segments, pair = batch.stride();
    const int window = straus_window(bits, 1, 5), entries = 1 << window;
    Buffer tables(checked_size(steps, static_cast<std::size_t>(entries) * pair)), entry(pair), digits(kLanes);
    // lane = row*segments + segment works on column step*segments + segment
    auto table = [&](std::size_t step, int e) {
        return tables.data() + (step * static_cast<std::size_t>(entries) + static_cast<std::size_t>(e)) * pair;
    };
    for (std::size_t step = 0; step < steps; step++) {
        std::memcpy(table(step, 0), ring.one(), pair * kWordBytes);
        std::memcpy(table(step, 1), ring.one(), pair * kWordBytes);
        for (std::size_t lane = 0; lane < rows * segments; lane++) {
            const std::size_t column = step * segments + lane % segments;
            if (column < columns) copy_lane(table(step, 1) + lane, batch.residue(column), 2 * ring.k());
        }
        for (int e = 2; e < entries; e++) f.product(ring.modulus(), table(step, e), table(step, e - 1), table(step, 1));
    }
    Batch lanes = ring.ones(rows * segments);
    const std::size_t w = static_cast<std::size_t>(window), windows = (bits + w - 1) / w;
    for (std::size_t i = windows; i-- > 0;) {
        if (i + 1 < windows)
            for (int s = 0; s < window; s++) f.square(ring.modulus(), lanes.group(0), lanes.group(0));
        for (std::size_t step = 0; step < steps; step++) {
            for (std::size_t lane = 0; lane < kLanes; lane++) {
                const std::size_t column = step * segments + lane % segments, row = lane / segments;
                digits.data()[lane] = row < rows && column < columns
                                          ? digit_at(exponents + (row * columns + column) * words, words, i * w,
                                                     static_cast<int>(std::min(w, bits - i * w)))
                                          : 0;
            }
            f.select_private(entry.data(), table(step, 0), entries, 2 * ring.k(), digits.data());
            f.product(ring.modulus(), lanes.group(0), lanes.group(0), entry.data());
        }
    }
    ring.fill_idle(lanes);
    return ring.product(lanes, rows, segments, 1);
}

}  // namespace

Batch matrix_power_vartime(const Ring& ring, const Batch& batch, const std::uint64_t* exponents, std::size_t rows,
                           std::size_t words, std::size_t bits) {
    ring.check(batch);
    require_bits(bits, words);
    if (rows == 0 || bits == 0 || batch.count() == 0) return ring.ones(rows);
    if (rows <= kLanes / 2) return segmented_straus(ring, batch, exponents, rows, words, bits);
    return SharedStraus(ring, batch, rows, bits).run(exponents, words);
}

}  // namespace vecphe
