#include "sluice/diagnostic.h"

#include <algorithm>
#include <string_view>

#include "sluice/log_text.h"
#include "sluice/printable.h"

namespace sluice {

namespace {

// The parts that are not empty, with ": " between them.
std::string PartsText(const Diagnostic& diagnostic, std::string_view severity) {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : ": ") + part;
  };
  std::string place = Printable(diagnostic.file, kPrintableBytes);
  if (!place.empty() && diagnostic.line != 0) place += ':' + std::to_string(diagnostic.line);
  add(place);
  add(std::string(severity));
  for (const std::string* part : {&diagnostic.object, &diagnostic.field, &diagnostic.message}) {
    add(Printable(*part, kPrintableBytes));
  }
  return text;
}

}  // namespace

std::string Diagnostic::ToString() const {
  return PartsText(*this, severity == Severity::kError ? "error" : severity == Severity::kWarning ? "warning" : "note");
}

std::string LogText(const Diagnostic& diagnostic) { return PartsText(diagnostic, ""); }

bool HasErrors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& diagnostic) { return diagnostic.severity == Severity::kError; });
}

}  // namespace sluice
