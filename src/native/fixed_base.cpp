#include "fixed_base.h"

#include <algorithm>

#include "limbs.h"
#include "table.h"

namespace vecphe {

namespace {

constexpr std::size_t kGroupsTogether = 32;  // accumulators in L2 while a row is walked
constexpr std::size_t kSinglesAtMost = 4;    // up to here one by one is faster than walking the large table
constexpr std::size_t kSingleEntries = 16;
constexpr std::size_t kLogTerms = 1024;  // logarithms added before they are reduced; R > 2048n
constexpr std::size_t kMostBits = std::size_t{1} << 20;
constexpr int kMostWindow = 12;

// Brings whole cache lines nearer.
void prefetch_words(const std::uint64_t* words, std::size_t count) {
    for (std::size_t i = 0; i < count; i += kLanes) __builtin_prefetch(words + i, 0, 2);
}

}  // namespace

FixedBase::FixedBase(const Ring& ring, const Batch& seeds, std::size_t bits, int window)
    : ring_(&ring), bits_(bits), window_(window) {
    if (bits == 0 || bits > kMostBits) throw std::invalid_argument("a table for exponents of 1 to 2^20 bits");
    if (window < 1 || window > kMostWindow) throw std::invalid_argument("a window of 1 to 12 bits");
    if (seeds.count() != 2) throw std::invalid_argument("a table needs the base and its inverse");
    if (ring.bits() + kTableSlack > static_cast<std::size_t>(ring.k()) * kLimbBits)
        throw std::invalid_argument("the modulus is too long for a table");
    ring.check(seeds);
    rows_ = (bits + static_cast<std::size_t>(window) - 1) / static_cast<std::size_t>(window);
    entries_ = std::max<std::size_t>(std::size_t{1} << window, kSharedBlock);
    row_words_ = 2 * static_cast<std::size_t>(ring.k()) * entries_;
    table_ = Buffer(checked_size(rows_, row_words_));
    if (entries_ > std::size_t{1} << window) table_.clear();
    build_rows(seeds);
    build_single();
}

// The bases of the rows by repeated squaring: lane 0 carries base^(2^(w*r)), lane 1 its inverse.
void FixedBase::build_rows(const Batch& seeds) {
    const Kernels& f = ring_->kernels();
    const Modulus& m = ring_->modulus();
    const int k = ring_->k();
    Buffer power(2 * size()), bases(2 * size()), inverses(size()), logs(size());
    std::memcpy(power.data(), seeds.group(0), 2 * size() * kWordBytes);
    for (std::size_t first = 0; first < rows_; first += kLanes) {
        for (int lane = 0; lane < kLanes; lane++) {
            copy_lane(bases.data() + lane, power.data(), 2 * k);
            copy_lane(inverses.data() + lane, power.data() + 1, k);
            for (int i = 0; i < window_; i++) f.square(m, power.data(), power.data());
        }
        // y0 = y*R, so y1/y0 * R = y1/y = montgomery(y1, R/y).
        f.montgomery(m, logs.data(), bases.data() + size(), inverses.data());
        f.subtract_once(m, logs.data(), logs.data());
        f.subtract_once(m, logs.data(), logs.data());
        build_group(first, bases.data(), inverses.data(), logs.data());
    }
}

// Eight rows at once, one a lane. From y0*b0 = z0*R - q*n follows for the next entry
//     l_z = l_y + l_b - q/z   with  q/z = montgomery(q, 1/z)  for the residue z = z0/R.
void FixedBase::build_group(std::size_t first_row, const std::uint64_t* bases, const std::uint64_t* inverses,
                            const std::uint64_t* logs) {
    const Kernels& f = ring_->kernels();
    const Modulus& m = ring_->modulus();
    const std::size_t lanes = std::min<std::size_t>(kLanes, rows_ - first_row);
    EntryWriter writer(row(first_row), row_words_, lanes, 2 * ring_->k(), entries_);
    Buffer y(2 * size()), log(size()), inverse(size()), quotient(size()), zero(size());
    zero.clear();
    std::memcpy(y.data(), ring_->one(), size() * kWordBytes);
    std::memcpy(log.data(), ring_->one() + size(), size() * kWordBytes);
    inverse.clear();
    for (int lane = 0; lane < kLanes; lane++) inverse.data()[lane] = 1;
    for (std::size_t j = 0;; j++) {
        writer.write(y.data(), log.data());
        if (j + 1 == std::size_t{1} << window_) break;
        f.delayed(m, y.data(), y.data(), bases);
        f.montgomery(m, inverse.data(), inverse.data(), inverses);
        f.montgomery(m, quotient.data(), y.data() + size(), inverse.data());
        // In (0, 5n): each logarithm below n, the quotient below 3n.
        for (std::size_t i = 0; i < size(); i++) log.data()[i] += logs[i] + 3 * m.n[i] - quotient.data()[i];
        f.add(m, log.data(), log.data(), zero.data());
        for (int i = 0; i < 4; i++) f.subtract_once(m, log.data(), log.data());
    }
}

// Row r of w bits holds narrower rows: entries j, 16j, 256j, ... for j < 16.
void FixedBase::build_single() {
    const int parts = (window_ + 3) / 4;
    const std::size_t narrow_rows = rows_ * static_cast<std::size_t>(parts);
    single_steps_ = (narrow_rows + kLanes - 1) / kLanes;
    single_ = Buffer(checked_size(single_steps_, kSingleEntries * 2 * size()));
    single_.clear();
    for (std::size_t s = 0; s < single_steps_ * kLanes; s++) {
        const std::size_t r = s / static_cast<std::size_t>(parts);
        const int shift = 4 * static_cast<int>(s % static_cast<std::size_t>(parts));
        const bool real = r < rows_;
        const std::size_t count = real ? std::size_t{1} << std::min(4, window_ - shift) : 1;
        std::uint64_t* to = single_.data() + (s / kLanes) * kSingleEntries * 2 * size() + s % kLanes;
        for (std::size_t c = 0; c < 2 * static_cast<std::size_t>(ring_->k()); c++)
            for (std::size_t j = 0; j < count; j++)
                to[j * 2 * size() + c * kLanes] = row(real ? r : 0)[c * entries_ + (j << shift)];
    }
}

// Brings a sum of logarithms back to one term: carried, and multiplied by R/R.
void FixedBase::fold_log(std::uint64_t* log) const {
    const Modulus& m = ring_->modulus();
    Buffer zero(size());
    zero.clear();
    ring_->kernels().add(m, log, log, zero.data());
    ring_->kernels().montgomery(m, log, log, m.r);
}

// The pair of (v0 - v1*n/R)(1 + L*n/R): x1 = (v0*L - v1)/R. `log` is carried in place.
void FixedBase::close(std::uint64_t* pair, const std::uint64_t* delayed, std::uint64_t* log) const {
    const Kernels& f = ring_->kernels();
    const Modulus& m = ring_->modulus();
    fold_log(log);
    std::memcpy(pair, delayed, size() * kWordBytes);
    f.montgomery_minus(m, pair + size(), delayed, log, delayed + size());
    f.subtract_once(m, pair + size(), pair + size());
}

Batch FixedBase::power_secret(const std::uint64_t* exponents, std::size_t words, std::size_t count) const {
    if (words == 0) throw std::invalid_argument("exponents of no words");
    const StackWiper wiper;
    Batch result(count, ring_->k(), Buffer::Content::kSecret);
    if (count <= kSinglesAtMost) {
        for (std::size_t i = 0; i < count; i++) power_single(result.residue(i), exponents + i * words, words);
    } else {
        for (std::size_t g = 0; g < result.groups(); g += kGroupsTogether)
            power_groups(result, g, std::min(kGroupsTogether, result.groups() - g), exponents, words);
    }
    ring_->fill_idle(result);
    return result;
}

// Rows outside, groups of lanes inside, two rows a step: their entries are multiplied in delayed form (2k^2) and the
// product taken into the accumulator (5k^2).
void FixedBase::power_groups(Batch& result, std::size_t first_group, std::size_t groups, const std::uint64_t* exponents,
                             std::size_t words) const {
    const Kernels& f = ring_->kernels();
    const Modulus& m = ring_->modulus();
    const std::size_t pair = 2 * size();
    const auto secret = Buffer::Content::kSecret;
    Buffer sums(groups * pair, secret), logs(groups * size(), secret), digits(2 * groups * kLanes, secret);
    Buffer even(kSelectGroups * pair, secret), odd(kSelectGroups * size(), secret);
    logs.clear();
    const std::size_t turns = (groups + kSelectGroups - 1) / kSelectGroups;
    for (std::size_t r = 0; r < rows_; r += 2) {
        const bool both = r + 1 < rows_;
        read_digits(digits.data(), r, kGroup * first_group, groups * kLanes, exponents, words, result.count());
        if (both)
            read_digits(digits.data() + groups * kLanes, r + 1, kGroup * first_group, groups * kLanes, exponents, words,
                        result.count());
        for (std::size_t g = 0; g < groups; g += kSelectGroups) {
            const std::size_t some = std::min<std::size_t>(kSelectGroups, groups - g);
            select(even.data(), 2, logs.data() + g * size(), r, digits.data() + g * kLanes, some);
            if (both)
                select(odd.data(), 1, logs.data() + g * size(), r + 1, digits.data() + (groups + g) * kLanes, some);
            for (std::size_t s = 0; s < some; s++) {
                std::uint64_t* y = even.data() + s * pair;
                std::uint64_t* sum = sums.data() + (g + s) * pair;
                if (both)
                    f.delayed(m, y, y, odd.data() + s * size());
                else
                    std::memset(y + size(), 0, size() * kWordBytes);
                if (r == 0)
                    std::memcpy(sum, y, pair * kWordBytes);
                else
                    f.delayed_product(m, sum, sum, y);
                if ((r + 2) % kLogTerms == 0) fold_log(logs.data() + (g + s) * size());
                prefetch(r + 2, (g / kSelectGroups * kSelectGroups + s), turns * kSelectGroups);
            }
        }
    }
    for (std::size_t g = 0; g < groups; g++)
        close(result.group(first_group + g), sums.data() + g * pair, logs.data() + g * size());
}

// y0 of row r into the first of every `coordinates` coordinates of `chosen`, its logarithms added to `logs`.
void FixedBase::select(std::uint64_t* chosen, int coordinates, std::uint64_t* logs, std::size_t r,
                       const std::uint64_t* digits, std::size_t groups) const {
    const int k = ring_->k(), entries = static_cast<int>(entries_);
    const Kernels& f = ring_->kernels();
    f.select_shared(chosen, coordinates * k, row(r), entries, k, digits, static_cast<int>(groups), false);
    f.select_shared(logs, k, row(r) + static_cast<std::size_t>(k) * entries_, entries, k, digits,
                    static_cast<int>(groups), true);
}

void FixedBase::read_digits(std::uint64_t* digits, std::size_t r, std::size_t first, std::size_t lanes,
                            const std::uint64_t* exponents, std::size_t words, std::size_t count) const {
    const std::size_t w = static_cast<std::size_t>(window_);
    const int width = static_cast<int>(std::min(w, bits_ - r * w));
    for (std::size_t i = 0; i < lanes; i++)
        digits[i] = first + i < count ? digit_at(exponents + (first + i) * words, words, r * w, width) : 0;
}

// Part `part` of `parts` of the two rows from r is brought nearer while the rows before it are worked on.
void FixedBase::prefetch(std::size_t r, std::size_t part, std::size_t parts) const {
    if (r >= rows_) return;
    const std::size_t lines = std::min<std::size_t>(2, rows_ - r) * row_words_ / kLanes;
    const std::size_t share = (lines + parts - 1) / parts;
    const std::size_t first = std::min(lines, part * share), last = std::min(lines, first + share);
    prefetch_words(row(r) + first * kLanes, (last - first) * kLanes);
}

// One power: each lane multiplies the entries of its rows, and three products combine the lanes.
void FixedBase::power_single(std::uint64_t* result, const std::uint64_t* exponent, std::size_t words) const {
    const Kernels& f = ring_->kernels();
    const Modulus& m = ring_->modulus();
    const int columns = 2 * ring_->k();
    const auto secret = Buffer::Content::kSecret;
    const std::size_t parts = static_cast<std::size_t>(window_ + 3) / 4;
    Buffer sum(2 * size(), secret), entry(2 * size(), secret), other(2 * size(), secret), log(size(), secret);
    Buffer digits(kLanes, secret);
    log.clear();
    const std::size_t table_words = kSingleEntries * 2 * size();
    auto choose = [&](std::size_t step, std::uint64_t* chosen) {
        for (std::size_t lane = 0; lane < kLanes; lane++) {
            const std::size_t s = step * kLanes + lane, r = s / parts;
            const std::size_t shift = 4 * (s % parts), first = r * static_cast<std::size_t>(window_) + shift;
            const int in_window = std::min<int>(4, window_ - static_cast<int>(shift));
            const int width = first < bits_ ? std::min<int>(in_window, static_cast<int>(bits_ - first)) : 0;
            digits.data()[lane] = r < rows_ && width > 0 ? digit_at(exponent, words, first, width) : 0;
        }
        f.select_private(chosen, single_.data() + step * table_words, kSingleEntries, columns, digits.data());
        for (std::size_t i = 0; i < size(); i++) log.data()[i] += chosen[size() + i];
    };
    // Two entries a step, as in power_groups.
    for (std::size_t step = 0; step < single_steps_; step += 2) {
        choose(step, entry.data());
        if (step + 1 < single_steps_) {
            choose(step + 1, other.data());
            prefetch_words(single_.data() + (step + 2) * table_words,
                           std::min<std::size_t>(2, single_steps_ - step - 2) * table_words);
            f.delayed(m, entry.data(), entry.data(), other.data());
        } else {
            std::memset(entry.data() + size(), 0, size() * kWordBytes);
        }
        if (step == 0)
            std::memcpy(sum.data(), entry.data(), 2 * size() * kWordBytes);
        else
            f.delayed_product(m, sum.data(), sum.data(), entry.data());
        if ((step + 2) % kLogTerms == 0) fold_log(log.data());
    }
    close(sum.data(), sum.data(), log.data());
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
        for (int lane = 0; lane < kLanes; lane++)
            copy_lane(entry.data() + lane, sum.data() + (lane + distance) % kLanes, columns);
        f.product(m, sum.data(), sum.data(), entry.data());
    }
    copy_lane(result, sum.data(), columns);
}

}  // namespace vecphe
