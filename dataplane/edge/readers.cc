#include "edge/readers.h"

#include <rte_common.h>
#include <rte_rcu_qsbr.h>

#include <cstdlib>
#include <new>

namespace sluice {

Readers::Readers(std::uint32_t count) {
  const std::size_t bytes = RTE_ALIGN_CEIL(rte_rcu_qsbr_get_memsize(count), std::size_t{RTE_CACHE_LINE_SIZE});
  qsbr_.reset(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, bytes)));
  if (!qsbr_) throw std::bad_alloc();
  rte_rcu_qsbr_init(qsbr_.get(), count);
}

Readers::~Readers() = default;

void Readers::Free::operator()(rte_rcu_qsbr* qsbr) const { std::free(qsbr); }

void Readers::Join(std::uint32_t reader) {
  rte_rcu_qsbr_thread_register(qsbr_.get(), reader);
  rte_rcu_qsbr_thread_online(qsbr_.get(), reader);
}

void Readers::Leave(std::uint32_t reader) {
  rte_rcu_qsbr_thread_offline(qsbr_.get(), reader);
  rte_rcu_qsbr_thread_unregister(qsbr_.get(), reader);
}

void Readers::Quiescent(std::uint32_t reader) { rte_rcu_qsbr_quiescent(qsbr_.get(), reader); }

void Readers::Pause(std::uint32_t reader) { rte_rcu_qsbr_thread_offline(qsbr_.get(), reader); }

void Readers::Resume(std::uint32_t reader) { rte_rcu_qsbr_thread_online(qsbr_.get(), reader); }

Readers::Token Readers::Retire() { return rte_rcu_qsbr_start(qsbr_.get()); }

bool Readers::Passed(Token token) { return rte_rcu_qsbr_check(qsbr_.get(), token, false) == 1; }

}  // namespace sluice
