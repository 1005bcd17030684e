// Which sanitizer this build has: GCC says it by a macro, clang by __has_feature.
//
// The address sanitizer keeps memory that was freed, so that a bound on a process's memory means nothing under it.
#ifndef SLUICE_TESTS_SUPPORT_SANITIZERS_H_
#define SLUICE_TESTS_SUPPORT_SANITIZERS_H_

namespace sluice::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__clang__)
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__clang__)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
#endif

}  // namespace sluice::test

#endif  // SLUICE_TESTS_SUPPORT_SANITIZERS_H_
