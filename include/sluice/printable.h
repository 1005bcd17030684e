// Text from outside (names of objects and senders, arguments, what a peer says) as it may stand in a line of a log or
// on a terminal: nothing in it ends the line, moves the cursor, or turns the writing round. Pure; any thread.
#ifndef SLUICE_PRINTABLE_H_
#define SLUICE_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

// Who sends a name decides its length: a line shows this much of it.
inline constexpr std::size_t kPrintableBytes = 4096;

// `text` with escapes in place of what is no printable text: control characters (\n, \t, \r, \x1b, \u0085), what turns
// the direction of writing or takes no room (\u202e, \u200b), ends of lines and paragraphs (\u2028), and bytes that are
// no UTF-8 (\xff). All else stays as it is, backslashes too, so what was escaped once may be given again.
std::string Printable(std::string_view text);

// The same of the first `most_bytes` bytes, cut between characters, and then how much is left out.
std::string Printable(std::string_view text, std::size_t most_bytes);

}  // namespace sluice

#endif  // SLUICE_PRINTABLE_H_
