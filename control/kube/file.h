// Small files that others may write while we read: tokens, certificates. Blocks on the file system; any thread.
#ifndef SLUICE_CONTROL_KUBE_FILE_H_
#define SLUICE_CONTROL_KUBE_FILE_H_

#include <string>

namespace sluice {

// Reads the whole file, without white space at its end. False, and `text` stays unchanged: it cannot be read, is no
// plain file, or is longer than 1 MiB.
bool ReadFile(const std::string& path, std::string& text);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_FILE_H_
