// Checks whether a program could listen at an address, as far as possible without doing so. Any thread; may ask DNS.
#ifndef SLUICE_PROGRAMS_COMMON_OWN_HOST_H_
#define SLUICE_PROGRAMS_COMMON_OWN_HOST_H_

#include <optional>
#include <string>

namespace sluice {

// Returns nothing if some address of `host` (an address or a name) belongs to this machine; else what is wrong.
std::optional<std::string> CheckOwnHost(const std::string& host);

// Returns nothing if the folder exists or can be made below one that exists; else what is in its way.
std::optional<std::string> CheckFolder(const std::string& path);

// Checks in the same way the folder that `path` lies in.
std::optional<std::string> CheckFolderOf(const std::string& path);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_OWN_HOST_H_
