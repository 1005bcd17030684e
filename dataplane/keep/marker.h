// Says, over a restart of this process, that what a folder keeps is older than what was in force.
//
// A small file in a folder in memory (/run), where a disk that takes nothing more does not matter. A reboot loses it.
// Several processes may share that folder: the file is named for the folder that it speaks of. It is made in advance
// and only renamed afterwards, which wants neither memory nor a descriptor.
//
// One thread at a time.
#ifndef SLUICE_DATAPLANE_KEEP_MARKER_H_
#define SLUICE_DATAPLANE_KEEP_MARKER_H_

#include <string>
#include <variant>

namespace sluice {

class Marker {
 public:
  // Makes `run_folder` where it is missing. `speaks_of`: an absolute path. The error names the folder and the remedy.
  static std::variant<Marker, std::string> Open(const std::string& run_folder, const std::string& speaks_of);

  bool stands() const;
  const std::string& path() const { return path_; }

  // False: it could not be done.
  bool Set() const;
  bool Remove() const;

  // At the end of the process: leaves nothing behind but a marker that stands.
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
