// The parts of a file decoded side by side, on several threads; what they hold comes together in the file's order, as
// if one thread had read them one after the other.
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

// Used by one thread, which takes its share of the work. The others start with the second part, run where the thread
// that started them may run, and are gone when this is.
class ParallelDecoder {
 public:
  // Decodes one part, which it owns, into a decoder of its own. Called once, on any of the threads.
  using Part = std::function<void(FileDecoder&)>;

  // `whole`, which outlives it, gets what all parts hold. `threads` counts the caller's; 1: no other is started.
  ParallelDecoder(FileDecoder& whole, unsigned threads) : whole_(whole), threads_(threads) {}
  // Waits for the parts that were begun; those that were not are dropped.
  ~ParallelDecoder();
  ParallelDecoder(const ParallelDecoder&) = delete;
  ParallelDecoder& operator=(const ParallelDecoder&) = delete;

  // Takes the file's next part. Decodes or waits where many are under way: memory is that of a few parts a thread.
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
  // Decodes the first part that nobody has begun. False: there is none. Unlocks meanwhile.
  bool DecodeOne(std::unique_lock<std::mutex>& lock);
  // Hands over what is done, up to the first part that is not.
  void HandOver(std::unique_lock<std::mutex>& lock);

  FileDecoder& whole_;
  const unsigned threads_;
  std::mutex mutex_;
  std::condition_variable work_;  // a part to begin, or the end
  std::condition_variable done_;  // a part is done
  std::deque<Task> tasks_;        // in order: handed over from the front
  std::size_t begun_ = 0;         // of tasks_, from the front
  bool closing_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_PARALLEL_DECODER_H_
