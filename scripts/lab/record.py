#!/usr/bin/env python3
"""Draws what a command printed as an SVG that plays it line by line.

  scripts/quickstart.sh | grep -vE "^ {6}([0-9]+%|[0-9]+ s:|done in)" | scripts/lab/record.py > docs/quickstart.svg

Viewers without animation, and people who asked their browser for less motion, see all lines at once.
"""

import argparse
import html
import re
import sys

FONT_PX, LINE_PX, CHAR_PX, MARGIN_PX = 13, 18, 7.83, 16
COLOURS = {"title": "#7aa2f7", "good": "#9ece6a", "bad": "#f7768e", "plain": "#c0caf5", "faint": "#8089b3"}
STYLES = (
    (r"\[\d+/\d+\].*", "title"),
    (r"\bok\b|\breached\b|\b\d+ of \d+ cells are as expected", "good"),
    (r"\bblocked\b|\bdead\b|\bFAILED\b", "bad"),
    (r"^ +from +to .*|^install-deps:.*", "faint"),
)


def spans(line):
    """The line cut into (text, colour)."""
    found = sorted(
        ((match.start(), match.end(), colour) for pattern, colour in STYLES for match in re.finditer(pattern, line)),
        key=lambda span: (span[0], -span[1]),
    )
    at = 0
    for begin, end, colour in found:
        if begin < at:
            continue
        if begin > at:
            yield line[at:begin], "plain"
        yield line[begin:end], colour
        at = end
    if at < len(line):
        yield line[at:], "plain"


def draw(lines, seconds_a_line, title):
    width = round(max(len(line) for line in lines) * CHAR_PX + 2 * MARGIN_PX)
    height = len(lines) * LINE_PX + 2 * MARGIN_PX
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">'
    yield f"<title>{html.escape(title)}</title>"
    yield "<style>"
    yield f"text {{ font: {FONT_PX}px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; }}"
    for name, colour in COLOURS.items():
        yield f".{name} {{ fill: {colour}; }}"
    yield "@media (prefers-reduced-motion: no-preference) { .line { opacity: 0; animation: show 0.15s ease-out forwards; } }"
    yield "@keyframes show { to { opacity: 1; } }"
    yield "</style>"
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#1a1b26"/>'
    for number, line in enumerate(lines):
        y = MARGIN_PX + LINE_PX * number + FONT_PX
        text = "".join(f'<tspan class="{colour}">{html.escape(part)}</tspan>' for part, colour in spans(line))
        delay = f"{number * seconds_a_line:.2f}s"
        yield f'<text class="line" x="{MARGIN_PX}" y="{y}" xml:space="preserve" style="animation-delay:{delay}">{text}</text>'
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds-a-line", type=float, default=0.25)
    parser.add_argument("--title", default="Sluice's quickstart: who reaches whom, and by which rule")
    arguments = parser.parse_args()
    lines = [line.rstrip("\n") for line in sys.stdin]
    if not lines:
        sys.exit("record: nothing came in; pipe a command's output to it")
    print("\n".join(draw(lines, arguments.seconds_a_line, arguments.title)))


if __name__ == "__main__":
    main()
