// Where settings came from, so that an error about a setting names its place: a line of a configuration file, or a
// flag. Plain values; one thread.
#ifndef SLUICE_PROGRAMS_COMMON_ORIGINS_H_
#define SLUICE_PROGRAMS_COMMON_ORIGINS_H_

#include <cstdint>
#include <map>
#include <string>

#include "sluice/diagnostic.h"

namespace sluice {

class Origins {
 public:
  void SetFile(std::string file) { file_ = std::move(file); }
  // `key`: a key ("tls.key") or an item of its list ("wires[0][1]").
  void SetLine(const std::string& key, std::uint32_t line) { lines_[key] = line; }
  // A flag replaces the file's value of the key. `flag`: "--wire".
  void SetFlag(const std::string& key, std::string flag);

  // Returns an error about the value of a key, or of an item.
  Diagnostic Problem(const std::string& key, std::string message) const;
  // Returns an error about all settings together.
  Diagnostic Problem(std::string message) const;

 private:
  std::uint32_t FirstBelow(const std::string& mapping) const;

  std::string file_;  // empty: there is no file
  std::map<std::string, std::uint32_t> lines_;
  std::map<std::string, std::string> flags_;  // by key
};

// Prints one line each, on standard error. Problems without a file begin with the program's name.
void PrintProblems(const std::string& program, const Diagnostics& problems);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_ORIGINS_H_
