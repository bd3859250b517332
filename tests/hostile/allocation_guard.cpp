#include "hostile/allocation_guard.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CLIPNEXT_SANITIZER_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CLIPNEXT_SANITIZER_HOOKS 1
#endif
#endif

namespace {

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};

void count_allocation(int64_t size) {
  const int64_t live = live_bytes.fetch_add(size, std::memory_order_relaxed) + size;
  int64_t peak = peak_bytes.load(std::memory_order_relaxed);
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
}

void count_release(int64_t size) { live_bytes.fetch_sub(size, std::memory_order_relaxed); }

}  // namespace

namespace clipnext::hostile {

AllocationPeak::AllocationPeak() : before_(live_bytes.load()) { peak_bytes.store(before_); }

int64_t AllocationPeak::bytes() const { return peak_bytes.load() - before_; }

}  // namespace clipnext::hostile

// The names below belong to the C library and the sanitizers on purpose.
// NOLINTBEGIN(bugprone-reserved-identifier, misc-definitions-in-headers)
#ifdef CLIPNEXT_SANITIZER_HOOKS

extern "C" {
size_t __sanitizer_get_allocated_size(const volatile void* p);

void __sanitizer_malloc_hook(const volatile void* p, size_t size) {
  if (p != nullptr) count_allocation(static_cast<int64_t>(size));
}
void __sanitizer_free_hook(const volatile void* p) {
  if (p != nullptr) count_release(static_cast<int64_t>(__sanitizer_get_allocated_size(p)));
}
}

#else

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* p, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* p);
}

namespace {

// Balances count_release, which only knows the usable size; a refused request leaves its mark on
// the peak alone.
void* counted(void* p, size_t size) {
  const auto asked = static_cast<int64_t>(size < PTRDIFF_MAX ? size : PTRDIFF_MAX / 2);
  if (p == nullptr) {
    count_allocation(asked);
    count_release(asked);
  } else {
    count_allocation(static_cast<int64_t>(malloc_usable_size(p)));
  }
  return p;
}

}  // namespace

extern "C" {
void* malloc(size_t size) noexcept { return counted(__libc_malloc(size), size); }

void* calloc(size_t count, size_t size) noexcept {
  size_t total = 0;
  if (__builtin_mul_overflow(count, size, &total)) total = PTRDIFF_MAX;
  return counted(__libc_calloc(count, size), total);
}

void* realloc(void* p, size_t size) noexcept {
  const int64_t old = p == nullptr ? 0 : static_cast<int64_t>(malloc_usable_size(p));
  void* moved = __libc_realloc(p, size);
  if (moved != nullptr || size == 0) count_release(old);
  return size == 0 && moved == nullptr ? nullptr : counted(moved, size);
}

void* memalign(size_t alignment, size_t size) noexcept {
  return counted(__libc_memalign(alignment, size), size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** p, size_t alignment, size_t size) noexcept {
  *p = memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}

void free(void* p) noexcept {
  if (p == nullptr) return;
  count_release(static_cast<int64_t>(malloc_usable_size(p)));
  __libc_free(p);
}
}

#endif
// NOLINTEND(bugprone-reserved-identifier, misc-definitions-in-headers)
