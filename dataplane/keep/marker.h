// Tells the next process that the state in a folder is older than the policy that was in force.
//
// The marker is a small file in a folder in memory (/run), which works whatever is wrong with the disk. A reboot loses
// it. Several processes may share the folder, since the marker's name is made from the path that it is about. The file
// is made in advance and only renamed later, which needs neither memory nor a descriptor.
//
// One thread at a time.
#ifndef SLUICE_DATAPLANE_KEEP_MARKER_H_
#define SLUICE_DATAPLANE_KEEP_MARKER_H_

#include <string>
#include <variant>

namespace sluice {

class Marker {
 public:
  // Makes `run_folder` if it is missing. `speaks_of`: an absolute path. The error names the folder and the remedy.
  static std::variant<Marker, std::string> Open(const std::string& run_folder, const std::string& speaks_of);

  bool stands() const;
  const std::string& path() const { return path_; }

  // False: it could not be done.
  bool Set() const;
  bool Remove() const;

  // Call it at the end of the process. It leaves nothing behind, except a marker that was set.
  void Close() const;

 private:
  Marker(std::string path, std::string text);
  bool MakeSpare() const;

  std::string path_;
  std::string spare_;
  std::string text_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_KEEP_MARKER_H_
