"""Section "staged". What judging by staged policies costs a worker: as `worker alone`, with and without a second table of as
many rules, in pairs that take turns. New flows are judged by both tables; packets of known flows by neither."""

import functools

import worker_alone

SECTION = "staged"
TURNS = 9  # pairs


def measure(run):
    turns, seconds = run.choose((TURNS, 0.1), (TURNS, 0.2))
    for hit in (100, 0):
        for family in run.choose((4,), (4, 6)):
            on = dict(family=family, flows=64 * 1024, rules=1000, hit=hit)
            starts = [functools.partial(worker_alone.Sluice, run, seconds, section=SECTION, staged=staged, apart=f"staged{staged}", **on) for staged in (0, 1)]
            worker_alone.in_turns(starts, turns, seconds)
