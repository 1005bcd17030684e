#include "sluicectl/known_names.h"

#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "sluice/domain_name.h"
#include "sluice/printable.h"
#include "sluicectl/input.h"

namespace sluice {
namespace {

void ReportLine(const std::string& path, std::uint32_t line, std::string message) {
  Diagnostic error;
  error.file = path;
  error.line = line;
  error.message = std::move(message);
  Report(error);
}

}  // namespace

void KnownNames::Add(const IpAddress& address, std::string_view name) {
  std::set<std::string>& names = by_address_[address];
  if (!names.insert(CanonicalDomainName(name)).second) return;
  std::vector<LearntName> entry;
  for (const std::string& each : names) entry.push_back({each, std::numeric_limits<std::uint64_t>::max()});
  learnt_.Put(address, std::move(entry));
}

bool KnownNames::Load(const std::string& path) {
  if (path.empty()) return true;
  std::ifstream file(path);
  if (!file) {
    ReportLine(path, 0, "cannot be read");
    return false;
  }
  bool good = true;
  std::string text;
  for (std::uint32_t line = 1; std::getline(file, text); ++line) {
    std::istringstream words(text.substr(0, text.find('#')));
    std::string name;
    if (!(words >> name)) continue;
    const auto refuse = [&](const std::string& what) {
      ReportLine(path, line, what);
      good = false;
    };
    if (!IsDomainPattern(name) || name.starts_with('*')) {
      refuse('\'' + Printable(name, 256) + "' is no domain name; a line is a name and the addresses that it has");
      continue;
    }
    std::string word;
    bool has_address = false;
    while (words >> word) {
      const auto address = IpAddress::Parse(word);
      address ? Add(*address, name) : refuse('\'' + Printable(word, 64) + "' is no address");
      has_address = true;
    }
    if (!has_address) refuse("names no address behind " + name);
  }
  return good;
}

}  // namespace sluice
