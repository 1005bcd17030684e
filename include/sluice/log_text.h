// A finding as a line of a log. Any thread.
#ifndef SLUICE_LOG_TEXT_H_
#define SLUICE_LOG_TEXT_H_

#include <string>

#include "sluice/diagnostic.h"

namespace sluice {

// "FILE:LINE: OBJECT: FIELD: MESSAGE", less the parts that are empty: Diagnostic::ToString less the severity, which a
// line of a log has already.
std::string LogText(const Diagnostic& diagnostic);

}  // namespace sluice

#endif  // SLUICE_LOG_TEXT_H_
