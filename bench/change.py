"""Section 5. Change under load: 1,000 swaps, 60,000 rule updates a second, 1,000 pods a second, and a million live flows
judged again, while packets come."""

from run import Failed, keys

SECTION = "change"
FLOWS = 64 * 1024


def half_of_zero_loss_rate(run):
    """Packets a second: half of what section 1 found over memif, or where that was not run, of 10 million."""
    rates = [
        value
        for result in run.results
        if result["section"] == "line rate" and result["metric"] == "zero_loss_mpps" and result["contender"] == "sluice"
        and result["bytes"] == 64 and result["flows"] == 1000 and not result["both"] and result["protocol"] == "udp"
        for value in result["values"]
    ]  # fmt: skip
    return max(rates) * 1e6 / 2 if rates else 5e6


def measure(run):
    rate = half_of_zero_loss_rate(run)
    capture = run.capture(4, FLOWS)
    many = run.capture(4, FLOWS, rules=100_000)
    million = run.capture(4, 1 << 20)
    rounds, seconds = run.choose((2, 0.5), (5, 1))
    plan = [
        ("swaps", keys(capture=capture, flows=FLOWS, rules=1000, rate=rate, count=1000, seconds=seconds)),
        ("rules", keys(capture=many, flows=FLOWS, rules=100_000, rounds=rounds, seconds=seconds)),
        ("pods", keys(capture=many, flows=FLOWS, rules=100_000, rounds=rounds, seconds=seconds)),
        ("rejudge", keys(capture=million, flows=1 << 20, rules=1000, rate=rate, rounds=run.choose(1, 3))),
    ]
    for what, arguments in plan:
        try:
            run.program(SECTION, "change_bench", f"what={what}", *arguments)
        except Failed as problem:
            run.skip(SECTION, what, str(problem))
