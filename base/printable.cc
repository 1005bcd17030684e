#include "sluice/printable.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

namespace sluice {
namespace {

constexpr char32_t kNoCharacter = 0xffffffff;

struct Character {
  char32_t code = kNoCharacter;  // or kNoCharacter: the first byte begins no character
  std::size_t bytes = 1;
};

// RFC 3629 section 4: a form longer than needed, a surrogate, or a number above U+10FFFF is no character.
Character FirstOf(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return {};
    code = code << 6 | (byte & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

// Ranges of characters that are always escaped: Unicode's general categories Cc, Zl and Zp, and those characters of Cf
// that are invisible or change how their neighbours look.
constexpr std::pair<char32_t, char32_t> kUnprintable[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

bool IsPrintable(char32_t code) {
  if (code >= 0x20 && code < 0x7f) return true;
  return code != kNoCharacter && std::none_of(std::begin(kUnprintable), std::end(kUnprintable), [&](const auto& range) {
           return range.first <= code && code <= range.second;
         });
}

void AppendHex(std::uint32_t value, int digits, std::string& to) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) to += "0123456789abcdef"[value >> shift & 15];
}

void AppendEscape(Character character, char byte, std::string& to) {
  switch (byte) {
    case '\n':
      to += "\\n";
      return;
    case '\t':
      to += "\\t";
      return;
    case '\r':
      to += "\\r";
      return;
    default:
      break;
  }
  if (character.bytes == 1) {
    to += "\\x";
    AppendHex(static_cast<unsigned char>(byte), 2, to);
  } else if (character.code < 0x10000) {
    to += "\\u";
    AppendHex(character.code, 4, to);
  } else {
    to += "\\U";
    AppendHex(character.code, 8, to);
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    // Most text is plain, so it is copied in runs.
    const auto special = std::find_if(text.begin(), text.end(), [](char c) {
      return static_cast<signed char>(c) < 0x20 || c == 0x7f;  // bytes above 0x7f are below 0
    });
    printable.append(text.begin(), special);
    text.remove_prefix(static_cast<std::size_t>(special - text.begin()));
    if (text.empty()) break;
    const Character character = FirstOf(text);
    if (IsPrintable(character.code)) {
      printable.append(text.substr(0, character.bytes));
    } else {
      AppendEscape(character, text[0], printable);
    }
    text.remove_prefix(character.bytes);
  }
  return printable;
}

std::string Printable(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return Printable(text);
  std::size_t kept = most_bytes;
  // Goes back to the beginning of the character, if the bytes are a character at all.
  while (kept > 0 && kept + 4 > most_bytes && (static_cast<unsigned char>(text[kept]) & 0xc0) == 0x80) --kept;
  return Printable(text.substr(0, kept)) + "... (" + std::to_string(text.size() - kept) + " bytes more)";
}

}  // namespace sluice
