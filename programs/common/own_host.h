// Whether a program could listen at an address, as far as that shows without doing so. Any thread; may ask DNS.
#ifndef SLUICE_PROGRAMS_COMMON_OWN_HOST_H_
#define SLUICE_PROGRAMS_COMMON_OWN_HOST_H_

#include <optional>
#include <string>

namespace sluice {

// Nothing where some address that `host` (an address or a name) stands for is this machine's; else what is wrong.
std::optional<std::string> CheckOwnHost(const std::string& host);

// Nothing where the folder is there or can be made below one that is; else what is in its way.
std::optional<std::string> CheckFolder(const std::string& path);

// The same of the folder that `path` lies in.
std::optional<std::string> CheckFolderOf(const std::string& path);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_OWN_HOST_H_
