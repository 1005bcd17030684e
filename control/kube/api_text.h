// Texts in the form that the API server accepts. Pure functions.
#ifndef SLUICE_CONTROL_KUBE_API_TEXT_H_
#define SLUICE_CONTROL_KUBE_API_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice {

// metav1.Time: "2026-01-31T12:00:00Z". Seconds since 1970.
std::string TimeText(std::int64_t seconds);

// The present time as metav1.MicroTime; its microseconds are 0.
std::string MicroTimeText();

// At most `most` bytes, cut before the first byte of a character, so that UTF-8 stays whole.
std::string CutText(std::string text, std::size_t most);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_API_TEXT_H_
