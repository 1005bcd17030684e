"""Picks figures out of results: medians, spread, and ratios of contenders that took turns."""

import statistics


def where(results, section, contender=None, metric=None, **on):
    """The results that have all of these. A key that a result lacks does not match."""
    return [
        result
        for result in results
        if result["section"] == section
        and (contender is None or result["contender"] == contender)
        and (metric is None or result["metric"] == metric)
        and all(result.get(key) == value for key, value in on.items())
    ]


def turns(results, *args, **on):
    """The median of each turn, in order."""
    return [statistics.median(result["values"]) for result in where(results, *args, **on) if result["values"]]


class Figure:
    """A median with its spread (the least and the greatest of its repeats)."""

    def __init__(self, values):
        self.values_in_order = list(values)
        self.values = sorted(values)
        self.median = statistics.median(values)

    @property
    def low(self):
        return self.values[0]

    @property
    def high(self):
        return self.values[-1]

    def text(self, digits=2):
        if len(self.values) == 1 or self.low == self.high:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def figure(results, *args, **on):
    """Of all repeats of all turns, or None where nothing was measured."""
    values = [value for result in where(results, *args, **on) for value in result["values"]]
    return Figure(values) if values else None


def ratio(over, under):
    """Turn by turn: over[i] / under[i]. None where either is missing."""
    pairs = [(a, b) for a, b in zip(over, under) if b]
    return Figure([a / b for a, b in pairs]) if pairs else None
