#include "ring.h"

#include <algorithm>

#include "checkpoint.h"
#include "limbs.h"

namespace vecphe {

namespace {

bool below(const std::uint8_t* x, const std::vector<std::uint8_t>& bound, std::size_t size) {
    for (std::size_t i = size; i-- > 0;) {
        const std::uint8_t b = i < bound.size() ? bound[i] : 0;
        if (x[i] != b) return x[i] < b;
    }
    return false;
}

}  // namespace

void broadcast(std::uint64_t* columns, int k, const std::vector<std::uint8_t>& bytes) {
    if (bit_length(bytes) > static_cast<std::size_t>(k) * kLimbBits + 1)
        throw std::invalid_argument("a constant is too long");
    for (int lane = 0; lane < kLanes; lane++) {
        limbs_from_bytes(columns, lane, k, bytes.data(), bytes.size());
        const std::size_t bit = static_cast<std::size_t>(k) * kLimbBits;
        const std::uint64_t above = word_at(bytes.data(), bytes.size(), bit / 8) >> (bit % 8);
        columns[(k - 1) * kLanes + lane] += above << kLimbBits;
    }
}

const std::vector<std::uint8_t>& checked_modulus(const std::vector<std::uint8_t>& bytes, int k) {
    const std::size_t bits = bit_length(bytes);
    std::uint8_t lowest = bits ? bytes[0] & 1 : 0;
    declassify(&lowest, 1);  // that a prime is odd is no secret
    if (!lowest) throw std::invalid_argument("the modulus must be odd");
    if (bits + kModulusSlack > static_cast<std::size_t>(checked_limbs(k)) * kLimbBits)
        throw std::invalid_argument("the modulus is too long");
    return bytes;
}

std::uint64_t negative_inverse(std::uint64_t n0) {
    std::uint64_t inverse = 1;
    for (int i = 0; i < 6; i++) inverse *= 2 - n0 * inverse;  // Newton: doubles the correct bits
    return (0 - inverse) & kLimbMask;
}

Ring::Ring(const Target& target, const RingConstants& c)
    : kernels_(target.kernels(checked_limbs(c.k))),
      few_(target.few(c.k)),
      bits_(bit_length(checked_modulus(c.n, c.k))),
      ciphertext_bytes_(c.ciphertext_bytes),
      n_squared_(c.n_squared),
      store_(static_cast<std::size_t>(9 * c.k + 1) * kLanes) {
    const std::size_t size = static_cast<std::size_t>(c.k) * kLanes;
    // A residue fits into its bytes, and the bytes into 2k limbs.
    if (c.ciphertext_bytes < c.n_squared.size() ||
        c.ciphertext_bytes > 2 * static_cast<std::size_t>(c.k) * kLimbBits / 8 ||
        bit_length(c.n_squared) + 1 < 2 * bits_)
        throw std::invalid_argument("ciphertext_bytes must be the length of n^2");
    std::uint64_t* next = store_.data();
    auto place = [&](const std::vector<std::uint8_t>& bytes) {
        std::uint64_t* columns = next;
        broadcast(columns, c.k, bytes);
        next += size;
        return columns;
    };
    modulus_.k = c.k;
    modulus_.n = place(c.n);
    modulus_.kn = place(c.kn);
    one_ = place(c.one0);
    modulus_.r = one_;  // R mod n is the first coordinate of 1
    place(c.one1);
    r3_ = place(c.r3_0);
    place(c.r3_1);
    r2_ = place(c.r2);
    zero_ = place({});
    std::uint64_t* n0inv = next;
    for (int lane = 0; lane < kLanes; lane++) n0inv[lane] = negative_inverse(modulus_.n[lane]);
    modulus_.n0inv = n0inv;
}

void Ring::check(const Batch& batch) const {
    if (batch.k() != k()) throw std::invalid_argument("batch of another ring");
}

void Ring::fill_idle(Batch& batch) const {
    for (std::size_t i = batch.count(); i < batch.groups() * kGroup; i++) copy_lane(batch.residue(i), one_, 2 * k());
}

// The pair of c*R^-1 is ((c + m*n)/R, (KN - m)/R) with m = -c/n mod R; times R^3/R it is that of c*R.
void Ring::load_group(std::uint64_t* group, const std::uint64_t* canonical) const {
    kernels_->reduce(modulus_, group, canonical, nullptr);
    kernels_->product(modulus_, group, group, r3_);
}

Batch Ring::load(const std::uint8_t* data, std::size_t count) const {
    const int columns = 2 * k();
    Batch batch(count, k(), Buffer::Content::kSecret);
    Buffer canonical(static_cast<std::size_t>(columns) * kLanes, Buffer::Content::kSecret);
    for (std::size_t g = 0; g < batch.groups(); g++) {
        for (int lane = 0; lane < kLanes; lane++) {
            static const std::uint8_t idle[1] = {1};
            const std::size_t i = kGroup * g + static_cast<std::size_t>(lane);
            const std::uint8_t* bytes = data + i * ciphertext_bytes_;
            if (i < count && !below(bytes, n_squared_, ciphertext_bytes_)) throw InvalidResidue();
            if (i < count)
                limbs_from_bytes(canonical.data(), lane, columns, bytes, ciphertext_bytes_);
            else
                limbs_from_bytes(canonical.data(), lane, columns, idle, 1);
        }
        load_group(batch.group(g), canonical.data());
    }
    return batch;
}

void Ring::canonical(std::uint64_t* coordinates, const std::uint64_t* group) const {
    const std::size_t size = static_cast<std::size_t>(k()) * kLanes;
    Buffer wide(2 * size), whole(kLanes);
    std::memcpy(wide.data(), group, size * kWordBytes);
    std::memset(wide.data() + size, 0, size * kWordBytes);
    // (x0 + x1*n)/R; x0 comes out at most n, and n only for multiples of n, x1 at most n + 2.
    kernels_->reduce(modulus_, coordinates, wide.data(), group + size);
    std::memcpy(wide.data(), coordinates, size * kWordBytes);
    kernels_->subtract_once(modulus_, coordinates, coordinates);
    // An n taken from x0 is a 1 more in x1.
    whole.clear();
    for (std::size_t i = 0; i < size; i++) whole.data()[i % kLanes] |= wide.data()[i] ^ coordinates[i];
    std::uint64_t* x1 = coordinates + size;
    for (std::size_t lane = 0; lane < kLanes; lane++) {
        const std::uint64_t taken = whole.data()[lane];
        x1[lane] += (taken | (0 - taken)) >> 63;
    }
    kernels_->add(modulus_, x1, x1, zero_);
    kernels_->subtract_once(modulus_, x1, x1);
}

void Ring::store(const Batch& batch, std::uint8_t* data) const {
    check(batch);
    const std::size_t size = static_cast<std::size_t>(k()) * kLanes;
    Buffer pair(2 * size), value(2 * size);
    for (std::size_t g = 0; g < batch.groups(); g++) {
        canonical(pair.data(), batch.group(g));
        kernels_->expand(modulus_, value.data(), pair.data() + size, modulus_.n, pair.data());
        for (std::size_t i = kGroup * g; i < std::min(batch.count(), kGroup * (g + 1)); i++)
            bytes_from_limbs(data + i * ciphertext_bytes_, ciphertext_bytes_, value.data(),
                             static_cast<int>(i % kGroup), 2 * k());
    }
}

// Many of these are long work: each limb lies in a cache line of its own.
void Ring::copy_residue(std::uint64_t* to, const std::uint64_t* from) const {
    checkpoint(std::int64_t{2} * k() * kLanes);
    copy_lane(to, from, 2 * k());
}

Batch Ring::ones(std::size_t count) const {
    Batch batch(count, k());
    for (std::size_t g = 0; g < batch.groups(); g++) {
        checkpoint(batch.stride());
        std::memcpy(batch.group(g), one_, batch.stride() * kWordBytes);
    }
    return batch;
}

Batch Ring::take(const Batch& batch, const std::int64_t* indices, std::size_t count) const {
    check(batch);
    Batch taken(count, k());
    for (std::size_t i = 0; i < count; i++) {
        const auto from = static_cast<std::size_t>(indices[i]);
        if (indices[i] < 0 || from >= batch.count()) throw std::out_of_range("index outside the batch");
        copy_residue(taken.residue(i), batch.residue(from));
    }
    fill_idle(taken);
    return taken;
}

Batch Ring::concatenate(const std::vector<const Batch*>& batches) const {
    std::size_t count = 0;
    for (const Batch* batch : batches) {
        check(*batch);
        if (__builtin_add_overflow(count, batch->count(), &count)) throw std::bad_alloc();
    }
    Batch all(count, k());
    std::size_t next = 0;
    for (const Batch* batch : batches) {
        if (next % kGroup == 0) {  // whole groups, idle lanes to be overwritten by what follows
            checkpoint(static_cast<std::int64_t>(batch->bytes() / kWordBytes));
            if (batch->groups()) std::memcpy(all.group(next / kGroup), batch->group(0), batch->bytes());
            next += batch->count();
            continue;
        }
        for (std::size_t i = 0; i < batch->count(); i++) copy_residue(all.residue(next++), batch->residue(i));
    }
    fill_idle(all);
    return all;
}

Batch Ring::multiply(const Batch& left, const Batch& right) const {
    check(left);
    check(right);
    if (left.count() != right.count()) throw std::invalid_argument("batches of different size");
    Batch result(left.count(), k());
    for (std::size_t g = 0; g < result.groups(); g++)
        kernels_of(left.count() - kGroup * g).product(modulus_, result.group(g), left.group(g), right.group(g));
    fill_idle(result);
    return result;
}

// Columns of plaintext + offset for a group of plaintexts; the carry chain has a fixed length.
void Ring::plaintext_columns(std::uint64_t* columns, int limbs, const std::uint64_t* plaintexts, std::size_t words,
                             std::size_t count, const std::uint64_t* offset) const {
    std::memset(columns, 0, static_cast<std::size_t>(limbs) * kLanes * kWordBytes);
    for (std::size_t lane = 0; lane < count; lane++)
        limbs_from_bytes(columns, static_cast<int>(lane), limbs,
                         reinterpret_cast<const std::uint8_t*>(plaintexts + lane * words), words * kWordBytes);
    for (int lane = 0; lane < kLanes; lane++) {
        std::uint64_t carry = 0;
        for (int i = 0; i < limbs; i++) {
            const std::uint64_t x = columns[i * kLanes + lane] + (i < k() ? offset[i * kLanes + lane] : 0) + carry;
            columns[i * kLanes + lane] = x & kLimbMask;
            carry = x >> kLimbBits;
        }
    }
}

// X*(1 + m*n) = x0 + (x1 + m*x0)*n
Batch Ring::multiply_plain(const Batch& batch, const std::uint64_t* plaintexts, std::size_t words,
                           const std::vector<std::uint8_t>& offset) const {
    check(batch);
    const int limbs = k();
    const std::size_t size = static_cast<std::size_t>(limbs) * kLanes;
    if (words == 0 || words > (2 * static_cast<std::size_t>(limbs) * kLimbBits - 1) / 64)
        throw std::invalid_argument("plaintexts of no words, or of too many");
    const bool wide = words * 64 + 1 > static_cast<std::size_t>(limbs) * kLimbBits;
    const StackWiper wiper;
    Buffer shift(size), m(2 * size, Buffer::Content::kSecret), scaled(2 * size, Buffer::Content::kSecret);
    broadcast(shift.data(), limbs, offset);
    Batch result(batch.count(), limbs);
    for (std::size_t g = 0; g < batch.groups(); g++) {
        const Kernels& f = kernels_of(batch.count() - kGroup * g);
        const std::uint64_t* x = batch.group(g);
        std::uint64_t* o = result.group(g);
        plaintext_columns(m.data(), wide ? 2 * limbs : limbs, plaintexts + kGroup * g * words, words,
                          std::min(kGroup, batch.count() - kGroup * g), shift.data());
        f.montgomery(modulus_, scaled.data(), m.data(), r2_);  // m*R mod n
        if (wide) {                                            // m = low + high*R, and high*R*R = montgomery(high, R^3)
            f.montgomery(modulus_, scaled.data() + size, m.data() + size, r3_);
            f.add(modulus_, scaled.data(), scaled.data(), scaled.data() + size);
        }
        f.montgomery(modulus_, scaled.data(), x, scaled.data());
        std::memcpy(o, x, size * kWordBytes);
        f.add(modulus_, o + size, x + size, scaled.data());
        // 1.5n + 2 + 1.4n: two subtractions bring it back into the bounds of a resident pair.
        f.subtract_once(modulus_, o + size, o + size);
        f.subtract_once(modulus_, o + size, o + size);
    }
    fill_idle(result);
    return result;
}

// One halving of the middle axis: term t becomes term t times term t + ceil(terms/2).
Batch Ring::halve(const Batch& batch, std::size_t outer, std::size_t terms, std::size_t inner) const {
    const std::size_t half = (terms + 1) / 2;
    Batch low(outer * half * inner, k()), high(outer * half * inner, k());
    for (std::size_t o = 0; o < outer; o++)
        for (std::size_t t = 0; t < half; t++)
            for (std::size_t i = 0; i < inner; i++) {
                const std::size_t to = (o * half + t) * inner + i;
                copy_residue(low.residue(to), batch.residue((o * terms + t) * inner + i));
                const bool paired = t + half < terms;
                copy_residue(high.residue(to), paired ? batch.residue((o * terms + t + half) * inner + i) : one_);
            }
    fill_idle(low);
    fill_idle(high);
    return multiply(low, high);
}

Batch Ring::product(const Batch& batch, std::size_t outer, std::size_t terms, std::size_t inner) const {
    check(batch);
    if (batch.count() != checked_size(checked_size(outer, inner), terms))
        throw std::invalid_argument("shape does not match the batch");
    if (terms == 0 || outer * inner == 0) return ones(outer * inner);
    if (outer * inner < kGroup && terms > 1) {  // too few lanes to go term by term
        Batch folded = halve(batch, outer, terms, inner);
        return product(folded, outer, (terms + 1) / 2, inner);
    }
    Batch result(outer * inner, k());
    Buffer operand(batch.stride());
    std::memcpy(operand.data(), one_, batch.stride() * kWordBytes);
    for (std::size_t g = 0; g < result.groups(); g++) {
        const std::size_t lanes = std::min(kGroup, result.count() - kGroup * g);
        std::memcpy(result.group(g), one_, batch.stride() * kWordBytes);
        if (lanes < kGroup) std::memcpy(operand.data(), one_, batch.stride() * kWordBytes);
        for (std::size_t t = 0; t < terms; t++) {
            for (std::size_t lane = 0; lane < lanes; lane++) {
                const std::size_t to = kGroup * g + lane;
                const std::size_t from = (to / inner * terms + t) * inner + to % inner;
                copy_lane((t ? operand.data() : result.group(g)) + lane, batch.residue(from), 2 * k());
            }
            if (t) kernels_->product(modulus_, result.group(g), result.group(g), operand.data());
        }
    }
    return result;
}

// Residues stay in the lanes they stand in: eight partial products a key, of which a group takes one in each lane.
Batch Ring::grouped_product(const Batch& batch, const std::int64_t* keys, std::size_t groups) const {
    check(batch);
    for (std::size_t i = 0; i < batch.count(); i++)
        if (keys[i] < 0 || static_cast<std::size_t>(keys[i]) >= groups) throw std::out_of_range("key of no group");
    Batch parts = ones(checked_size(groups, kGroup));
    Buffer running(batch.stride());
    std::memcpy(running.data(), one_, batch.stride() * kWordBytes);
    for (std::size_t g = 0; g < batch.groups(); g++) {
        const std::size_t lanes = std::min(kGroup, batch.count() - kGroup * g);
        auto part = [&](std::size_t lane) {
            return parts.group(static_cast<std::size_t>(keys[kGroup * g + lane])) + lane;
        };
        for (std::size_t lane = 0; lane < lanes; lane++) copy_lane(running.data() + lane, part(lane), 2 * k());
        kernels_->product(modulus_, running.data(), running.data(), batch.group(g));
        for (std::size_t lane = 0; lane < lanes; lane++) copy_lane(part(lane), running.data() + lane, 2 * k());
    }
    return product(parts, groups, kGroup, 1);
}

std::vector<std::uint8_t> Ring::unit_witness(const Batch& batch) const {
    check(batch);
    const std::size_t size = static_cast<std::size_t>(k()) * kLanes;
    Buffer product(size);
    std::memcpy(product.data(), one_, size * kWordBytes);
    for (std::size_t g = 0; g < batch.groups(); g++)
        kernels_->montgomery(modulus_, product.data(), product.data(), batch.group(g));
    const std::size_t width = (static_cast<std::size_t>(k()) * kLimbBits + 7) / 8;
    std::vector<std::uint8_t> bytes(width * kLanes);
    for (int lane = 0; lane < kLanes; lane++)
        bytes_from_limbs(bytes.data() + static_cast<std::size_t>(lane) * width, width, product.data(), lane, k());
    return bytes;
}

Batch Ring::prefix_products(const Batch& batch) const {
    check(batch);
    Batch prefixes(batch.groups() * kGroup, k());
    for (std::size_t g = 0; g < batch.groups(); g++) {
        if (g == 0)
            std::memcpy(prefixes.group(0), batch.group(0), batch.stride() * kWordBytes);
        else
            kernels_->product(modulus_, prefixes.group(g), prefixes.group(g - 1), batch.group(g));
    }
    return prefixes;
}

Batch Ring::invert_from(const Batch& batch, const Batch& prefixes, const Batch& inverse) const {
    check(batch);
    check(prefixes);
    check(inverse);
    if (prefixes.groups() != batch.groups() || inverse.count() != kGroup) throw std::invalid_argument("prefixes");
    Batch result(batch.count(), k());
    Buffer running(batch.stride());
    std::memcpy(running.data(), inverse.group(0), batch.stride() * kWordBytes);
    for (std::size_t g = batch.groups(); g-- > 0;) {
        if (g == 0) {
            std::memcpy(result.group(0), running.data(), batch.stride() * kWordBytes);
            break;
        }
        kernels_->product(modulus_, result.group(g), running.data(), prefixes.group(g - 1));
        kernels_->product(modulus_, running.data(), running.data(), batch.group(g));
    }
    fill_idle(result);
    return result;
}

}  // namespace vecphe
