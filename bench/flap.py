"""Section 5b. Change without end: a policy with every pod as its peer made and deleted 10,000 times over 20,000 pods, and
whatever else can come and go under ever new names: the last ones must cost and hold what the first ones did."""

from run import keys

SECTION = "flap"
PODS = 20_000
KINDS = ("peers", "blocks", "ports", "pods", "namespaces", "nodes", "all")


def measure(run):
    run.program(SECTION, "flap_bench", *keys(what="policy", flaps=run.choose(1000, 10_000), pods=PODS), timeout=900)
    for kind in KINDS:
        run.program(SECTION, "flap_bench", *keys(what=kind, flaps=run.choose(200, 1000), pods=run.choose(2000, PODS)), timeout=900)
