// An error or a note as a value: it names the file, the line, the object, the field and the reason.
#ifndef SLUICE_DIAGNOSTIC_H_
#define SLUICE_DIAGNOSTIC_H_

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

enum class Severity : std::uint8_t {
  kNote,     // worth saying, nothing is wrong ("skipped Deployment default/web")
  kWarning,  // accepted, but likely not what was meant
  kError,    // the object (or the file) is refused
};

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;        // empty: not from a file
  std::uint32_t line = 0;  // 1-based; 0: not known
  std::string object;      // "NetworkPolicy default/web"; empty: the whole document
  std::string field;       // "spec.ingress[0].ports[1].endPort"; empty: the whole object
  std::string message;     // what is wrong and what would be right

  // "FILE:LINE: error: OBJECT: FIELD: MESSAGE", without the parts that are empty.
  std::string ToString() const;
};

using Diagnostics = std::vector<Diagnostic>;

bool HasErrors(const Diagnostics& diagnostics);

}  // namespace sluice

#endif  // SLUICE_DIAGNOSTIC_H_
