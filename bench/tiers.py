"""Cluster policies over all pods, beside none: what they cost the table, a hit and a miss; and how soon a change of one is
in force."""

SECTION = "tiers"


def measure(run):
    for shape in run.choose(["all pods"], ["templates", "all pods", "world less private", "label lattice", "long lists", "many ports"]):
        run.program(SECTION, "tiers_bench", shape, 1, run.choose(3, 9))
    run.program(SECTION, "tiers_change_bench", *run.choose(["policies=200", "pods=20000"], []))
