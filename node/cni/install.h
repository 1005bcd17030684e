// Puts the plugin where a container runtime finds it: its program, and its entry in the runtime's network
// configuration. Used by one thread.
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

// What was done, one line each. Empty if everything was in place.
struct Installed {
  std::vector<std::string> done;
  std::string conflist;  // the one that runtimes use: the first of the folder, by name
};

// Writes both under another name, then renames, so nobody reads half a file. The error names the file and the remedy.
std::variant<Installed, std::string> InstallProgram(const std::string& program, const CniFolders& folders);
std::variant<Installed, std::string> InstallEntry(const CniFolders& folders, const PluginEntry& entry);

// Takes the entry out of every conflist. The program stays, since containers made with it are deleted with it, too.
std::variant<Installed, std::string> UninstallEntry(const CniFolders& folders);
std::variant<Installed, std::string> UninstallProgram(const CniFolders& folders);

// Says where the entry or the program is missing; empty: neither is.
std::string WhatIsMissing(const CniFolders& folders);

// Reports changes in a folder, which need not exist yet.
class FolderNews {
 public:
  explicit FolderNews(std::string folder);
  ~FolderNews();
  FolderNews(const FolderNews&) = delete;
  FolderNews& operator=(const FolderNews&) = delete;

  // Readable when something changed; -1 if the kernel gives no descriptor.
  int fd() const { return fd_; }
  // True: something may have changed since the last call. Call it now and then in any case: a folder that was missing
  // may exist now.
  bool Take();

 private:
  const std::string folder_;
  const int fd_;
  int watch_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_NODE_CNI_INSTALL_H_
