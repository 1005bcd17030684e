// Puts the plugin where a container runtime finds it: its program, and its entry in the runtime's network
// configuration. One thread.
#ifndef SLUICE_NODE_CNI_INSTALL_H_
#define SLUICE_NODE_CNI_INSTALL_H_

#include <string>
#include <variant>
#include <vector>

#include "cni/conflist.h"

namespace sluice {

struct CniFolders {
  std::string configurations = "/etc/cni/net.d";
  std::string programs = "/opt/cni/bin";
};

// What was done, a line each; nothing: all was in place.
struct Installed {
  std::vector<std::string> done;
  std::string conflist;  // the one that runtimes take: the first of the folder, by name
};

// Both are written beside and renamed, so that nobody reads a half. The error names the file and the remedy.
std::variant<Installed, std::string> InstallProgram(const std::string& program, const CniFolders& folders);
std::variant<Installed, std::string> InstallEntry(const CniFolders& folders, const PluginEntry& entry);

// Takes the entry out of every conflist. The program stays: containers that were made with it are taken down with it.
std::variant<Installed, std::string> UninstallEntry(const CniFolders& folders);
std::variant<Installed, std::string> UninstallProgram(const CniFolders& folders);

// Where the entry is missing, or the program; empty: neither.
std::string WhatIsMissing(const CniFolders& folders);

// Tells of changes in a folder, which need not be there yet.
class FolderNews {
 public:
  explicit FolderNews(std::string folder);
  ~FolderNews();
  FolderNews(const FolderNews&) = delete;
  FolderNews& operator=(const FolderNews&) = delete;

  // Readable when something changed; -1 where the kernel gives none.
  int fd() const { return fd_; }
  // True: something may have changed since the last call. To be called now and then as well: a folder that was not
  // there may be.
  bool Take();

 private:
  const std::string folder_;
  const int fd_;
  int watch_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_INSTALL_H_
