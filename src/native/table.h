// Writing tables whose rows are laid out for selection: for each limb column the entries side by side.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernel.h"
#include "memory.h"

namespace vecphe {

// Takes the entries of up to eight rows, one row a lane, in order. Entries of a row are far apart in memory, so eight
// of them are collected and whole cache lines written.
class EntryWriter {
public:
    // Lane l writes to rows + l*row_words; a row has `columns` limb columns of `entries` words.
    EntryWriter(std::uint64_t* rows, std::size_t row_words, std::size_t lanes, int columns, std::size_t entries)
        : rows_(rows),
          row_words_(row_words),
          lanes_(lanes),
          columns_(static_cast<std::size_t>(columns)),
          entries_(entries),
          held_(kTogether * columns_ * kLanes) {}
    EntryWriter(const EntryWriter&) = delete;
    EntryWriter& operator=(const EntryWriter&) = delete;
    ~EntryWriter() { flush(); }

    // The next entry: its lower and its upper half of the columns.
    void write(const std::uint64_t* low, const std::uint64_t* high) {
        std::uint64_t* to = held_.data() + count_ * columns_ * kLanes;
        std::memcpy(to, low, columns_ / 2 * kLanes * kWordBytes);
        std::memcpy(to + columns_ * kLanes / 2, high, columns_ / 2 * kLanes * kWordBytes);
        if (++count_ == kTogether) flush();
    }

private:
    static constexpr std::size_t kTogether = 8;

    void flush() {
        for (std::size_t lane = 0; lane < lanes_; lane++)
            for (std::size_t c = 0; c < columns_; c++) {
                std::uint64_t* to = rows_ + lane * row_words_ + c * entries_ + done_;
                for (std::size_t e = 0; e < count_; e++) to[e] = held_.data()[(e * columns_ + c) * kLanes + lane];
            }
        done_ += count_;
        count_ = 0;
    }

    std::uint64_t* rows_;
    std::size_t row_words_, lanes_, columns_, entries_;
    std::size_t done_ = 0, count_ = 0;
    Buffer held_;
};

}  // namespace vecphe
