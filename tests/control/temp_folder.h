// A folder that goes with the test.
#ifndef SLUICE_TESTS_CONTROL_TEMP_FOLDER_H_
#define SLUICE_TESTS_CONTROL_TEMP_FOLDER_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace sluice {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "sluice-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  // Folders in between are made.
  void Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << text;
  }

 private:
  std::string path_;
};

// While it lives, file permissions hold for root too, which may otherwise read everything.
class WithoutRootsRights {
 public:
  explicit WithoutRootsRights(const TempFolder& folder) : was_root_(geteuid() == 0) {
    constexpr uid_t kNobody = 65534;
    if (!was_root_) return;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (chown(entry.path().c_str(), kNobody, kNobody) != 0) std::abort();
    }
    if (chown(folder.path().c_str(), kNobody, kNobody) != 0 || seteuid(kNobody) != 0) std::abort();
  }
  ~WithoutRootsRights() {
    if (was_root_ && seteuid(0) != 0) std::abort();
  }
  WithoutRootsRights(const WithoutRootsRights&) = delete;
  WithoutRootsRights& operator=(const WithoutRootsRights&) = delete;

 private:
  const bool was_root_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_CONTROL_TEMP_FOLDER_H_
