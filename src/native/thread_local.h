// How kernels reach what each thread has of its own: in the block of thread-local memory that is there from the start,
// so that no access is a call inside a kernel. An executable has it there anyway, and ld cannot link every access by
// way of the global offset table into one.
#pragma once

#include <cstdint>  // says which C library this is

#if defined(__ELF__) && defined(__GLIBC__) && !defined(__PIE__)
#define VECPHE_TLS_MODEL __attribute__((tls_model("initial-exec")))
#else
#define VECPHE_TLS_MODEL
#endif
