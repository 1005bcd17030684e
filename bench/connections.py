"""Section 4. New connections: every packet opens a flow (classify, insert, and an older flow makes way); and a flood of
SYNs beside established flows, each at the same rate."""

from run import keys

SECTION = "connections"
FLOOD_RATE = 3_000_000  # of each kind: what the floor wants of new flows a second


def measure(run):
    windows, seconds = run.choose((3, 0.2), (5, 0.4))
    for _ in range(run.choose(1, 3)):
        for family in (4, 6):
            for rules in run.choose((1000,), (1000, 100_000)):
                on = {"family": family, "flows": 1 << 20, "rules": rules, "hit": 0}
                capture = run.capture(family, 64 * 1024, rules=1000)
                arguments = keys(capture=capture, captured=64 * 1024, windows=windows, seconds=seconds, **on)
                run.program(SECTION, "worker_bench", *arguments)
    flows = 64 * 1024
    capture = run.capture(4, flows, "tcp")
    arguments = keys(capture=capture, flows=flows, protocol="tcp", rate=FLOOD_RATE, rounds=run.choose(2, 5), seconds=run.choose(0.5, 1))
    run.program(SECTION, "change_bench", "what=flood", *arguments)
