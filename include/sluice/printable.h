// Text from outside (names of objects and senders, arguments, a peer's messages) in a form that is safe in a line of a
// log and on a terminal: it cannot end the line, move the cursor or change the direction of writing. Pure; any thread.
#ifndef SLUICE_PRINTABLE_H_
#define SLUICE_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

// The sender of a name decides its length. A line shows at most this much of it.
inline constexpr std::size_t kPrintableBytes = 4096;

// `text` with escapes in place of control characters (\n, \t, \r, \x1b, \u0085), of characters that change the
// direction of writing or have no width (\u202e, \u200b), of ends of lines and paragraphs (\u2028), and of bytes
// that are not UTF-8 (\xff). All other characters stay, and so do backslashes: escaping a text twice gives the
// same as escaping it once.
std::string Printable(std::string_view text);

// The same for the first `most_bytes` bytes, cut between characters. A note says how much is left out.
std::string Printable(std::string_view text, std::size_t most_bytes);

}  // namespace sluice

#endif  // SLUICE_PRINTABLE_H_
