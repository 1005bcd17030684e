#include "kube/printable.h"

#include <cstdint>

namespace sluice {
namespace {

// The length of the character of UTF-8 (RFC 3629, 4) that `text` begins with; 0: it begins with none. `code` is what it
// stands for.
std::size_t Decode(std::string_view text, std::uint32_t& code) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  code = first;
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  code = first & (0x7FU >> length);
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(at) & 0x3F);
  }
  constexpr std::uint32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kLeast[length - 2] || code > 0x10FFFF || surrogate ? 0 : length;
}

bool Harmless(std::uint32_t code) {
  const auto in = [code](std::uint32_t first, std::uint32_t last) { return code >= first && code <= last; };
  return !in(0, 0x1F) && !in(0x7F, 0x9F) && !in(0x200E, 0x200F) && !in(0x2028, 0x202E) && !in(0x2066, 0x2069) &&
         code != 0x061C;
}

}  // namespace

std::string Printable(std::string_view text, std::size_t most) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string printable;
  while (!text.empty()) {
    std::uint32_t code = 0;
    const std::size_t length = Decode(text, code);
    std::string character;
    if (length > 0 && Harmless(code)) {
      character = text.substr(0, length);
    } else {
      for (const char c : text.substr(0, length == 0 ? 1 : length)) {
        const auto byte = static_cast<unsigned char>(c);
        character += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      }
    }
    if (printable.size() + character.size() > most) return printable + "...";
    printable += character;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return printable;
}

}  // namespace sluice
