#include "common/origins.h"

#include <cstdio>
#include <utility>

#include "sluice/log_text.h"

namespace sluice {
namespace {

// Returns "wires" for "wires[0][1]".
std::string KeyOf(const std::string& item) { return item.substr(0, item.find('[')); }

}  // namespace

void Origins::SetFlag(const std::string& key, std::string flag) {
  std::erase_if(lines_, [&](const auto& line) { return KeyOf(line.first) == key; });
  flags_[key] = std::move(flag);
}

Diagnostic Origins::Problem(const std::string& key, std::string message) const {
  if (const auto flag = flags_.find(KeyOf(key)); flag != flags_.end()) {
    return {Severity::kError, "", 0, "", flag->second, std::move(message)};
  }
  auto line = lines_.find(key);
  if (line == lines_.end()) line = lines_.find(KeyOf(key));
  if (line != lines_.end()) return {Severity::kError, file_, line->second, "", key, std::move(message)};
  return {Severity::kError, file_, FirstBelow(key), "", key, std::move(message)};
}

// Returns the first line of a key of a mapping, such as "tls". 0: none.
std::uint32_t Origins::FirstBelow(const std::string& mapping) const {
  std::uint32_t first = 0;
  for (const auto& [key, line] : lines_) {
    if (key.starts_with(mapping + '.') && (first == 0 || line < first)) first = line;
  }
  return first;
}

Diagnostic Origins::Problem(std::string message) const {
  return {Severity::kError, file_, 0, "", "", std::move(message)};
}

void PrintProblems(const std::string& program, const Diagnostics& problems) {
  for (const Diagnostic& problem : problems) {
    const std::string text = problem.file.empty() ? program + ": " + LogText(problem) : problem.ToString();
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

}  // namespace sluice
