// Describes the last system call's error in words.
#ifndef SLUICE_DATAPLANE_KEEP_ERRNO_TEXT_H_
#define SLUICE_DATAPLANE_KEEP_ERRNO_TEXT_H_

#include <cerrno>
#include <cstring>
#include <string>

namespace sluice {

inline std::string ErrnoText(const std::string& what) { return what + ": " + std::strerror(errno); }

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_ERRNO_TEXT_H_
