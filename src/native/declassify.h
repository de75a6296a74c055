// Marks a secret-derived value as public from here on. Nothing in a normal build; constant-time checks, which treat
// secrets as uninitialised memory, need to be told.
#pragma once

#include <cstddef>

#if defined(VECPHE_CHECK_MSAN)
#include <sanitizer/msan_interface.h>
#elif defined(VECPHE_CHECK_VALGRIND)
#include <valgrind/memcheck.h>
#endif

namespace vecphe {

inline void declassify(void* memory, std::size_t bytes) {
#if defined(VECPHE_CHECK_MSAN)
    __msan_unpoison(memory, bytes);
#elif defined(VECPHE_CHECK_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(memory, bytes);
#else
    static_cast<void>(memory);
    static_cast<void>(bytes);
#endif
}

inline void classify(void* memory, std::size_t bytes) {
#if defined(VECPHE_CHECK_MSAN)
    __msan_poison(memory, bytes);
#elif defined(VECPHE_CHECK_VALGRIND)
    VALGRIND_MAKE_MEM_UNDEFINED(memory, bytes);
#else
    static_cast<void>(memory);
    static_cast<void>(bytes);
#endif
}

}  // namespace vecphe
