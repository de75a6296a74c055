// Aligned buffers of words, wiped before they are freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vecphe {

// Overwrites memory in a way no compiler removes.
inline void wipe(void* memory, std::size_t bytes) {
    std::memset(memory, 0, bytes);
    __asm__ __volatile__("" : : "r"(memory) : "memory");
}

// Overwrites the stack below the caller, where kernels kept their accumulators.
inline __attribute__((noinline)) void wipe_stack() {
    unsigned char below[128 * 1024];
    wipe(below, sizeof below);
}

// Does so however its scope is left: a kernel may throw at a checkpoint.
struct StackWiper {
    StackWiper() = default;
    StackWiper(const StackWiper&) = delete;
    ~StackWiper() { wipe_stack(); }
};

// a*b, or std::bad_alloc where that is no size of anything: what is allocated must not be less than what is meant.
// Every product of numbers that come from outside goes through here.
inline std::size_t checked_size(std::size_t a, std::size_t b) {
    if (b != 0 && a > SIZE_MAX / 64 / b) throw std::bad_alloc();
    return a * b;
}

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

class Buffer {
public:
    enum class Content { kPublic, kSecret };

    Buffer() = default;
    explicit Buffer(std::size_t words, Content content = Content::kPublic)
        : words_(words),
          content_(content),
          data_(
              static_cast<std::uint64_t*>(::operator new(checked_size(words, kWordBytes) + kWordBytes, alignment()))) {
#if defined(__linux__)
        // Walking a table of 20 MB in small pages costs more in address translation than in arithmetic.
        if (words * kWordBytes >= kLarge) madvise(data_, words * kWordBytes, MADV_HUGEPAGE);
#endif
    }
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (data_ && content_ == Content::kSecret) wipe(data_, words_ * kWordBytes);
        if (data_) ::operator delete(data_, alignment());
    }

    std::uint64_t* data() { return data_; }
    const std::uint64_t* data() const { return data_; }
    std::size_t words() const { return words_; }
    void clear() { std::memset(data_, 0, words_ * kWordBytes); }

private:
    static constexpr std::size_t kLarge = std::size_t{4} << 20, kHugePage = std::size_t{2} << 20;

    // Columns are read in registers of 64 bytes; large buffers start on a huge page.
    std::align_val_t alignment() const { return std::align_val_t{words_ * kWordBytes >= kLarge ? kHugePage : 64}; }

    void swap(Buffer& other) {
        std::swap(words_, other.words_);
        std::swap(content_, other.content_);
        std::swap(data_, other.data_);
    }

    std::size_t words_ = 0;
    Content content_ = Content::kPublic;
    std::uint64_t* data_ = nullptr;
};

}  // namespace vecphe
