#include "support/places.h"

namespace sluice {

std::string SourcePath(std::string_view relative) { return SLUICE_SOURCE_DIR "/" + std::string(relative); }

std::string BuiltProgram(std::string_view name) { return SLUICE_PROGRAM_DIR "/" + std::string(name); }

}  // namespace sluice
