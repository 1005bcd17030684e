#include "sluice/printable.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "sluice/diagnostic.h"

namespace sluice {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text :
       {"", "default/web", "pods[app in (a, b)] in shop", "C:\\temp", "größe/日本/🙂", "\u00ad\u0600"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, WhatEndsALineOrCommandsATerminalIsEscaped) {
  EXPECT_EQ(Printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Printable(std::string("\0\x1b[2J\x7f", 6)), "\\x00\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\u009b2J \u0085"), "\\u009b2J \\u0085");
  EXPECT_EQ(Printable("\u202egnp.exe\u2066 \u200b\ufeff\u2028"), "\\u202egnp.exe\\u2066 \\u200b\\ufeff\\u2028");
  EXPECT_EQ(Printable("\U000e0041"), "\\U000e0041");
}

TEST(Printable, BytesThatAreNoCharacterAreEscapedOneByOne) {
  EXPECT_EQ(Printable("\xff"), "\\xff");
  EXPECT_EQ(Printable("\x9b!"), "\\x9b!");         // 8-bit CSI
  EXPECT_EQ(Printable("\xc0\x8a"), "\\xc0\\x8a");  // a line's end, longer than needed
  EXPECT_EQ(Printable("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Printable("\xe6\x97"), "\\xe6\\x97");  // cut off
  EXPECT_EQ(Printable("\xe6\nx"), "\\xe6\\nx");
}

TEST(Printable, LongTextIsCutBetweenCharactersAndSaysSo) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdef", 4), "abcd... (2 bytes more)");
  EXPECT_EQ(Printable("ab日", 4), "ab... (3 bytes more)");
  EXPECT_EQ(Printable("ab\n日", 3), "ab\\n... (3 bytes more)");
  EXPECT_EQ(Printable(std::string(9, '\x80'), 8).substr(0, 4), "\\x80");
  EXPECT_EQ(Printable("日", 0), "... (3 bytes more)");
}

TEST(Printable, OfRandomBytesNothingDangerousIsLeftAndTwiceIsAsOnce) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() % 0x20 : random());
    const std::string once = Printable(text);
    EXPECT_EQ(Printable(once), once);
    for (const char c : once) EXPECT_FALSE((c >= 0 && c < 0x20) || c == 0x7f) << round;
  }
}

TEST(Printable, ADiagnosticIsOneLineWhateverItNames) {
  const Diagnostic diagnostic{Severity::kError, "a\nb.yaml", 3, "policy x\nerror: forged", "f\x1b[0m", "m\r"};
  EXPECT_EQ(diagnostic.ToString(), "a\\nb.yaml:3: error: policy x\\nerror: forged: f\\x1b[0m: m\\r");
}

}  // namespace
}  // namespace sluice
