// Decodes the parts of a file on several threads. The results come together in the file's order, as if one thread had
// read the parts one after the other.
#ifndef SLUICE_CONTROL_MANIFEST_PARALLEL_DECODER_H_
#define SLUICE_CONTROL_MANIFEST_PARALLEL_DECODER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "manifest/file_decoder.h"

namespace sluice {

// For use by one thread, which does its share of the work. The other threads start with the second part, run on the
// same processors as the thread that started them, and end before this object does.
class ParallelDecoder {
 public:
  // Decodes one part, which it owns, into a decoder of its own. Called once, on any of the threads.
  using Part = std::function<void(FileDecoder&)>;

  // `whole` must outlive this and gets what all parts hold. `threads` includes the caller's; 1: no other is started.
  ParallelDecoder(FileDecoder& whole, unsigned threads) : whole_(whole), threads_(threads) {}
  // Waits for the parts in progress; drops those that were not begun.
  ~ParallelDecoder();
  ParallelDecoder(const ParallelDecoder&) = delete;
  ParallelDecoder& operator=(const ParallelDecoder&) = delete;

  // Takes the file's next part. If many are in progress, decodes or waits: memory stays that of a few parts a thread.
  void Add(Part part);
  // Returns when `whole` has all parts.
  void Finish();

 private:
  struct Task {
    Part part;
    FileDecoder decoder;
    bool done = false;
  };

  void StartHelpers();
  void Help();
  // Decodes the first part that nobody has begun. False: there is none. Unlocks while it decodes.
  bool DecodeOne(std::unique_lock<std::mutex>& lock);
  // Hands over finished parts, up to the first that is not finished.
  void HandOver(std::unique_lock<std::mutex>& lock);

  FileDecoder& whole_;
  const unsigned threads_;
  std::mutex mutex_;
  std::condition_variable work_;  // there is a part to begin, or it is the end
  std::condition_variable done_;  // a part is done
  std::deque<Task> tasks_;        // in order; handed over from the front
  std::size_t begun_ = 0;         // of tasks_, from the front
  bool closing_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_PARALLEL_DECODER_H_
