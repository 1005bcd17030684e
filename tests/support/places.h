// Where this checkout and what was built of it are.
//
// places.cc alone knows: what names a folder of this machine is compiled anew in every checkout, and a compiler cache
// can serve all the rest.
#ifndef SLUICE_TESTS_SUPPORT_PLACES_H_
#define SLUICE_TESTS_SUPPORT_PLACES_H_

#include <string>
#include <string_view>

namespace sluice {

// The absolute path of a file of the checkout, such as "docs/metrics.md".
std::string SourcePath(std::string_view relative);

// The absolute path of a program of this build, such as "sluiced".
std::string BuiltProgram(std::string_view name);

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_PLACES_H_
