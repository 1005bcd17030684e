// A finding as a line of a log. Any thread.
#ifndef SLUICE_LOG_TEXT_H_
#define SLUICE_LOG_TEXT_H_

#include <string>

#include "sluice/diagnostic.h"

namespace sluice {

// "FILE:LINE: OBJECT: FIELD: MESSAGE", without the parts that are empty. It is Diagnostic::ToString without the
// severity, because a line of a log already has one.
std::string LogText(const Diagnostic& diagnostic);

}  // namespace sluice

#endif  // SLUICE_LOG_TEXT_H_
