#include "keep/marker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "keep/errno_text.h"

namespace sluice {
namespace {

constexpr mode_t kFolderMode = 0750;  // only the user that runs sluiced may remove a marker

// FNV-1a: gives the same name in every build.
std::string HashText(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

}  // namespace

Marker::Marker(std::string path, std::string text)
    : path_(std::move(path)), spare_(path_ + ".spare"), text_(std::move(text)) {}

std::variant<Marker, std::string> Marker::Open(const std::string& run_folder, const std::string& speaks_of) {
  const auto refuse = [&] { return ErrnoText("run folder '" + run_folder + "'") + "; give --run a folder in memory"; };
  std::error_code none;
  const std::filesystem::path parent = std::filesystem::path(run_folder).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, none);
  if (mkdir(run_folder.c_str(), kFolderMode) != 0 && errno != EEXIST) return refuse();
  Marker marker(run_folder + "/behind." + HashText(speaks_of),
                "The state in " + speaks_of +
                    " lacks policy that was in force when its disk took no more. While this file is here, sluiced does "
                    "not begin with that state.\n");
  if (!marker.stands() && !marker.MakeSpare()) return refuse();
  return marker;
}

bool Marker::MakeSpare() const {
  const int file = open(spare_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool made = write(file, text_.data(), text_.size()) == static_cast<ssize_t>(text_.size());
  close(file);
  return made;
}

// If it cannot be found out, the worse is assumed.
bool Marker::stands() const {
  struct stat status;
  return lstat(path_.c_str(), &status) == 0 || errno != ENOENT;
}

bool Marker::Set() const {
  if (stands() || rename(spare_.c_str(), path_.c_str()) == 0) return true;
  return MakeSpare() && rename(spare_.c_str(), path_.c_str()) == 0;  // the spare file was deleted
}

bool Marker::Remove() const {
  return rename(path_.c_str(), spare_.c_str()) == 0 || (errno == ENOENT && !stands()) || unlink(path_.c_str()) == 0;
}

void Marker::Close() const { unlink(spare_.c_str()); }

}  // namespace sluice
