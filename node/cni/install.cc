#include "cni/install.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kProgramMode = 0755;
constexpr mode_t kConflistMode = 0600;  // for a file whose own mode is unknown

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool WriteAll(int file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

// Replaces the file's content at once and as a whole. The error says why it failed.
std::string Replace(const std::string& path, const std::string& text, mode_t mode) {
  const fs::path target(path);
  // A name that no runtime takes for a configuration.
  const std::string fresh = (target.parent_path() / ('.' + target.filename().string() + ".sluice-new")).string();
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) return fresh + ": cannot be written: " + std::strerror(errno);
  bool is_done = fchmod(file, mode) == 0 && WriteAll(file, text) && fsync(file) == 0;
  is_done = close(file) == 0 && is_done;
  if (is_done && rename(fresh.c_str(), path.c_str()) == 0) return "";
  const int why = errno;
  unlink(fresh.c_str());
  return path + ": cannot be written: " + std::strerror(why);
}

// The configurations of a folder in the order in which runtimes read them: by name. The error says why there is none.
std::variant<std::vector<std::string>, std::string> ConfigurationsIn(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string extension = at->path().extension().string();
    const bool is_hidden = at->path().filename().string().starts_with('.');
    if (!is_hidden && (extension == ".conflist" || extension == ".conf" || extension == ".json")) {
      paths.push_back(at->path().string());
    }
  }
  if (error) return folder + ": cannot be read: " + error.message() + "; where does the runtime have its networks?";
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The conflist that a runtime uses for pods, with its text.
std::variant<std::pair<std::string, std::string>, std::string> FindConflist(const std::string& folder) {
  auto paths = ConfigurationsIn(folder);
  if (auto* error = std::get_if<std::string>(&paths)) return std::move(*error);
  for (const std::string& path : std::get<0>(paths)) {
    const auto text = ReadFile(path);
    if (!text) continue;
    if (fs::path(path).extension() == ".conflist") {
      if (IsPodNetwork(*text)) return std::pair(path, *text);
    } else if (text->find("\"loopback\"") == std::string::npos) {
      return path + " is one plugin's configuration, behind which no other can come; make it a conflist";
    }
  }
  return folder + " has no conflist yet; the network plugin writes one";
}

std::string ProgramPath(const CniFolders& folders) { return folders.programs + '/' + std::string(kPluginType); }

mode_t ModeOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : kConflistMode;
}

}  // namespace

std::variant<Installed, std::string> InstallProgram(const std::string& program, const CniFolders& folders) {
  const auto text = ReadFile(program);
  if (!text) return program + ": cannot be read: " + std::strerror(errno);
  const std::string path = ProgramPath(folders);
  if (ReadFile(path) == text && ModeOf(path) == kProgramMode) return Installed{};
  if (std::string error = Replace(path, *text, kProgramMode); !error.empty()) return error;
  return Installed{{path + ": the plugin is there"}, ""};
}

std::variant<Installed, std::string> InstallEntry(const CniFolders& folders, const PluginEntry& entry) {
  auto found = FindConflist(folders.configurations);
  if (auto* error = std::get_if<std::string>(&found)) return std::move(*error);
  const auto& [path, text] = std::get<0>(found);
  const auto edited = WithPlugin(text, entry);
  if (const auto* error = std::get_if<std::string>(&edited)) return path + ' ' + *error;
  if (!std::get<EditedConflist>(edited).is_changed) return Installed{{}, path};
  if (std::string error = Replace(path, std::get<EditedConflist>(edited).text, ModeOf(path)); !error.empty())
    return error;
  return Installed{{path + ": sluice comes last in it"}, path};
}

std::variant<Installed, std::string> UninstallEntry(const CniFolders& folders) {
  auto paths = ConfigurationsIn(folders.configurations);
  if (auto* error = std::get_if<std::string>(&paths)) return std::move(*error);
  Installed installed;
  for (const std::string& path : std::get<0>(paths)) {
    const auto text = ReadFile(path);
    const auto edited = WithoutPlugin(text.value_or(""));
    const auto* conflist = std::get_if<EditedConflist>(&edited);
    if (conflist == nullptr || !conflist->is_changed) continue;
    if (std::string error = Replace(path, conflist->text, ModeOf(path)); !error.empty()) return error;
    installed.done.push_back(path + ": sluice is no longer in it");
  }
  return installed;
}

std::variant<Installed, std::string> UninstallProgram(const CniFolders& folders) {
  const std::string path = ProgramPath(folders);
  if (unlink(path.c_str()) == 0) return Installed{{path + ": is gone"}, ""};
  if (errno == ENOENT) return Installed{};
  return path + ": cannot be removed: " + std::strerror(errno);
}

std::string WhatIsMissing(const CniFolders& folders) {
  const std::string program = ProgramPath(folders);
  if (access(program.c_str(), X_OK) != 0) return program + ": " + std::strerror(errno);
  auto found = FindConflist(folders.configurations);
  if (auto* error = std::get_if<std::string>(&found)) return std::move(*error);
  const auto& [path, text] = std::get<0>(found);
  const auto without = WithoutPlugin(text);
  const auto* conflist = std::get_if<EditedConflist>(&without);
  return conflist != nullptr && conflist->is_changed ? "" : path + ": sluice is not in it";
}

FolderNews::FolderNews(std::string folder) : folder_(std::move(folder)), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  Take();
}

FolderNews::~FolderNews() {
  if (fd_ >= 0) close(fd_);
}

bool FolderNews::Take() {
  bool is_news = false;
  alignas(inotify_event) char buffer[4096];
  for (ssize_t size = read(fd_, buffer, sizeof buffer); size > 0; size = read(fd_, buffer, sizeof buffer)) {
    is_news = true;
    for (const char* at = buffer; at < buffer + size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      if ((event->mask & IN_IGNORED) != 0) watch_ = -1;  // the folder itself is gone
      at += sizeof *event + event->len;
    }
  }
  if (watch_ >= 0) return is_news;
  constexpr std::uint32_t kEvents =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  watch_ = inotify_add_watch(fd_, folder_.c_str(), kEvents);
  return is_news || watch_ >= 0;
}

}  // namespace sluice
