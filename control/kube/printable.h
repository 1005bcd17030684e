// Text that came from elsewhere, for a log or a terminal. Pure functions; any thread.
#ifndef SLUICE_CONTROL_KUBE_PRINTABLE_H_
#define SLUICE_CONTROL_KUBE_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

// `text` with everything escaped that could begin a line of its own, move a cursor or turn the direction of writing:
// control characters (Unicode's Cc), line and paragraph separators, the marks of bidirectional text, and bytes that are
// no UTF-8. "a\nb" becomes `a\x0ab`. All other characters stay, backslashes too, so a second time changes nothing. What
// is longer than `most` bytes is cut at a character, and "..." says so.
std::string Printable(std::string_view text, std::size_t most = 1000);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_PRINTABLE_H_
