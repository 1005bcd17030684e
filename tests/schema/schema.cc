#include "schema/schema.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "support/places.h"

namespace sluice::test {

std::string SchemaProblems(const std::string& name, const std::string& json) {
  std::string path = (std::filesystem::temp_directory_path() / "sluice-json-XXXXXX").string();
  const int file = mkstemp(path.data());
  if (file < 0) return "no file can be made at " + path;
  FILE* const to = fdopen(file, "w");
  std::fwrite(json.data(), 1, json.size(), to);
  std::fclose(to);
  const std::string command = "python3 " + SourcePath("tests/schema/check.py") + " " + name + " < " + path + " 2>&1";
  FILE* const pipe = popen(command.c_str(), "r");
  std::string said;
  std::array<char, 4096> buffer;
  std::size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) said.append(buffer.data(), count);
  const bool good = pclose(pipe) == 0;
  unlink(path.c_str());
  return good ? "" : "not as docs/sluicectl.schema.json has it: " + said + json;
}

}  // namespace sluice::test
