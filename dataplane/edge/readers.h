// The threads that read what the control thread publishes, and when all
// of them have let go of what it took back (rte_rcu_qsbr). Needs no EAL.
//
// A reader never waits: now and then it says that it holds nothing from before (Quiescent). The control thread takes
// something back, gets a Token, and frees the thing once Passed(token): then every reader was quiescent since.
#ifndef SLUICE_DATAPLANE_EDGE_READERS_H_
#define SLUICE_DATAPLANE_EDGE_READERS_H_

#include <cstdint>
#include <memory>

struct rte_rcu_qsbr;

namespace sluice {

class Readers {
 public:
  using Token = std::uint64_t;

  // Readers are numbered from 0 to `count` - 1.
  explicit Readers(std::uint32_t count);
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // For the reader's thread. A reader counts only between Join and Leave; after Leave it holds nothing.
  void Join(std::uint32_t reader);
  void Leave(std::uint32_t reader);
  void Quiescent(std::uint32_t reader);
  // Between Pause and Resume, the reader holds nothing, and nobody waits for it.
  void Pause(std::uint32_t reader);
  void Resume(std::uint32_t reader);

  // Any thread but a reader's. Passed returns at once. What readers
  // did before they were quiescent happened before it returns true.
  Token Retire();
  bool Passed(Token token);

 private:
  struct Free {
    void operator()(rte_rcu_qsbr* qsbr) const;
  };
  std::unique_ptr<rte_rcu_qsbr, Free> qsbr_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_READERS_H_
