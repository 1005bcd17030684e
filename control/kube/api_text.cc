#include "kube/api_text.h"

#include <ctime>

namespace sluice {

std::string TimeText(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc = {};
  gmtime_r(&time, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string MicroTimeText() {
  std::string text = TimeText(std::time(nullptr));
  text.insert(text.size() - 1, ".000000");
  return text;
}

std::string CutText(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t length = most;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  text.resize(length);
  return text;
}

}  // namespace sluice
