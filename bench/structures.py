"""Section 3, our structures against DPDK's, each pair in one process: the whole filter beside `rte_hash_lookup_bulk`, a
miss beside `rte_acl`, the addresses in it beside `rte_fib`."""

SECTION = "structures"


def measure(run):
    rounds = run.choose(7, 25)
    for flows in (1000, 64 * 1024, 1 << 20):
        run.program(SECTION, "walk_bench", rounds, flows)
    for rules in (1000, 10_000, 100_000):
        run.program(SECTION, "miss_bench", rounds, rules)
