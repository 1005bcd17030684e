# Writes page_files.cc out of the built page: cmake -DFOLDER=... -DOUT=... -P embed.cmake
set(types_html "text/html; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(arrays "")
set(rows "")
foreach(file index.html page.js page.css)
  file(READ ${FOLDER}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "[.]" "_" name ${file})
  string(REGEX REPLACE ".*[.]" "" ending ${file})
  string(APPEND arrays "constexpr unsigned char k_${name}[] = {${bytes}};\n")
  set(path "/${file}")
  if(file STREQUAL index.html)
    set(path "/")
  endif()
  string(APPEND rows "  if (path == \"${path}\") return {\"${types_${ending}}\", Text(k_${name}, sizeof k_${name})};\n")
endforeach()
file(WRITE ${OUT} "// Made by embed.cmake.
#include \"page/page_files.h\"

namespace sluice {
namespace {

${arrays}
std::string_view Text(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

PageFile FindPageFile(std::string_view path) {
${rows}  return {};
}

}  // namespace sluice
")
