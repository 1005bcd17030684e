#include "sluice/diagnostic.h"

#include <algorithm>

#include "sluice/printable.h"

namespace sluice {

std::string Diagnostic::ToString() const {
  std::string text;
  if (!file.empty()) {
    text += Printable(file, kPrintableBytes);
    if (line != 0) text += ':' + std::to_string(line);
    text += ": ";
  }
  text += severity == Severity::kError ? "error" : severity == Severity::kWarning ? "warning" : "note";
  for (const std::string* part : {&object, &field, &message}) {
    if (!part->empty()) text += ": " + Printable(*part, kPrintableBytes);
  }
  return text;
}

bool HasErrors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& diagnostic) { return diagnostic.severity == Severity::kError; });
}

}  // namespace sluice
