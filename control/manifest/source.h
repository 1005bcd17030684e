// Manifests that change while we run. Remembers the last good version of every object, and notices changes.
//
// The caller's loop, in one thread of its own:
//   ManifestSource source(paths);
//   Manifests now = source.Load();
//   for (;;) {
//     pollfd wait{source.fd(), POLLIN, 0};
//     poll(&wait, 1, source.TimeoutMs());
//     if (source.ConsumeEvents()) now = source.Load();
//   }
#ifndef SLUICE_CONTROL_MANIFEST_SOURCE_H_
#define SLUICE_CONTROL_MANIFEST_SOURCE_H_

#include <memory>
#include <string>
#include <vector>

#include "manifest/kept_manifests.h"
#include "manifest/manifest_reader.h"

namespace sluice {

// Not safe to share between threads.
class ManifestSource {
 public:
  enum class Watching {
    kInotify,  // on every folder and link on the way to a file; also looks, every two seconds
    kRescan,   // only looks, once a second; also used if the kernel refuses inotify
  };

  explicit ManifestSource(std::vector<std::string> paths, Watching watching = Watching::kInotify,
                          ReadSettings settings = {});
  ~ManifestSource();
  ManifestSource(const ManifestSource&) = delete;
  ManifestSource& operator=(const ManifestSource&) = delete;

  // What the manifests say now. Files that did not change are not read again. A refused object keeps its last good
  // version (NP-16). A file that is broken or no longer readable keeps those of its objects that it does not name now.
  // A removed object or file is gone; but a given path, or what a link names, counts as unreadable, not as removed. The
  // diagnostics cover all files, and notes say what was kept. Manifests::unread names what could not be read and has no
  // earlier version: at a start, all that cannot be read; later, what has come since.
  Manifests Load();

  // The result of the last Load, for a process that begins anew: the good version of each object, and the
  // paths that it does without.
  std::vector<std::string> Records() const;
  // To be called before the first Load, which then gives what it would give in the process that made these records.
  void Remember(KeptManifests kept);

  // To poll for input; -1 if inotify is not in use.
  int fd() const;
  // How long to poll at most, in milliseconds.
  int TimeoutMs() const;
  // Takes what inotify reported, and looks at time stamps when it is time to: at up to 4,096 paths, in turns, so
  // that a look takes milliseconds however many there are. True: something changed and has settled (50 ms
  // without a further change, or half a second after the first), so Load is due. False: nothing to load yet;
  // poll again with the new TimeoutMs.
  bool ConsumeEvents();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_SOURCE_H_
