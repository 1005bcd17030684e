// The files of the page, built from the sources in page/. Any thread.
#ifndef SLUICE_PROGRAMS_PAGE_PAGE_FILES_H_
#define SLUICE_PROGRAMS_PAGE_PAGE_FILES_H_

#include <string_view>

namespace sluice {

struct PageFile {
  std::string_view type;  // MIME; empty: there is no such file
  std::string_view content;
};

// `path`: "/", "/page.js", ...
PageFile FindPageFile(std::string_view path);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_PAGE_FILES_H_
