// Keeps learnt names on disk, so that a restart has them before its first packet.
//
// It is one text file, replaced at once (temporary file, fsync, rename): a first line that says what it is, a line for
// each pair, and a last line with their number. Without the last line the file is not used. Losing the file loses no
// policy: names are learnt again from the next answers.
#ifndef SLUICE_DATAPLANE_NAMES_NAME_FILE_H_
#define SLUICE_DATAPLANE_NAMES_NAME_FILE_H_

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "names/name_store.h"

namespace sluice {

// Returns why the file could not be written; empty: it was. Lapsed pairs are left out.
std::string WriteNameFile(const std::string& path, std::span<const LearntPair> pairs);

struct NameFile {
  std::vector<LearntPair> pairs;
  std::string problem;  // why the file is not used; empty: it is used, or there is none
};
NameFile ReadNameFile(const std::string& path);

// The text of such a file, and a reader for text from elsewhere, which problems call by the given name.
std::string NameFileText(std::span<const LearntPair> pairs);
NameFile ParseNameFile(std::istream& text, const std::string& name);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_NAMES_NAME_FILE_H_
