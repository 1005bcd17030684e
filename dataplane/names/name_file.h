// What was learnt of names, on disk: a restart has it before its first packet.
//
// One file of text, replaced at once (temporary file, fsync, rename): a line that says what it is, a line for each
// pair, and a last one with their number, without which the file counts for nothing. Losing it loses no policy: names
// are learnt again from the next answers.
#ifndef SLUICE_DATAPLANE_NAMES_NAME_FILE_H_
#define SLUICE_DATAPLANE_NAMES_NAME_FILE_H_

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "names/name_store.h"

namespace sluice {

// Why it could not be written; empty: it was. Lapsed pairs are left out.
std::string WriteNameFile(const std::string& path, std::span<const LearntPair> pairs);

struct NameFile {
  std::vector<LearntPair> pairs;
  std::string problem;  // why it is not used; empty: it is, or there is none
};
NameFile ReadNameFile(const std::string& path);

// The same of text that is no file, which problems call by that name.
std::string NameFileText(std::span<const LearntPair> pairs);
NameFile ParseNameFile(std::istream& text, const std::string& name);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_NAMES_NAME_FILE_H_
