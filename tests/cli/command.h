// Runs sluicectl as a user would, in a folder of its own.
#ifndef SLUICE_TESTS_CLI_COMMAND_H_
#define SLUICE_TESTS_CLI_COMMAND_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/places.h"

namespace sluice::test {

// The folder of the project's examples.
inline const std::string kExamples = SourcePath("examples");

struct CommandResult {
  int exit_code = -1;  // 128 + signal where one ended it
  std::string out;
  std::string err;
};

// A folder that goes with the test; commands run in it.
class CommandTest : public testing::Test {
 protected:
  CommandTest();
  ~CommandTest() override;

  void Write(const std::string& name, std::string_view content) const;
  std::string Read(const std::string& name) const;
  // sluicectl with these arguments.
  CommandResult Run(const std::vector<std::string>& arguments) const;
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // Namespace shop: pods web (10.0.0.1, fd00::1; named port http) and db (10.0.0.2) on node n1 (192.0.2.1), a pod
  // pending without an address; default deny in both directions, web admits TCP http from everyone, and web may ask db.
  static const std::string_view kShop;

 private:
  std::filesystem::path folder_;
};

}  // namespace sluice::test

#endif  // SLUICE_TESTS_CLI_COMMAND_H_
