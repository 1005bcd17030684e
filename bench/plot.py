"""Two kinds of plots as SVG: groups of bars with their spread, and lines over a logarithmic scale. Text is dark on white,
so that they can be read wherever they are shown."""

import math
from xml.sax.saxutils import escape

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"]  # told apart by everybody
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 64, 44


class Canvas:
    def __init__(self, title, unit):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" font-size="12" fill="#222">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        ]
        self.text(LEFT, 20, title, size=15)
        self.text(LEFT - 8, TOP - 8, unit, anchor="end", size=11)

    def text(self, x, y, text, anchor="start", size=12):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour="#ccc", width=1):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
        )

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def legend(self, names):
        x = LEFT
        for name, colour in zip(names, COLOURS):
            self.box(x, 32, 10, 10, colour)
            self.text(x + 14, 41, name, size=11)
            x += 28 + 6.8 * len(name)

    def done(self):
        return "\n".join([*self.parts, "</svg>", ""])


def ticks(top):
    step = 10 ** math.floor(math.log10(top))
    step = next(step * factor for factor in (0.1, 0.2, 0.5, 1, 2) if top / (step * factor) <= 8)
    return [step * i for i in range(int(top / step) + 1)]


def bars(title, unit, groups, series):
    """`series`: name -> a Figure (or None) for each of `groups`. Thin lines show the spread."""
    canvas = Canvas(title, unit)
    top = 1.05 * max(figure.high for figures in series.values() for figure in figures if figure)
    height = HEIGHT - TOP - BOTTOM
    y_of = lambda value: TOP + height * (1 - value / top)
    for tick in ticks(top):
        canvas.line(LEFT, y_of(tick), WIDTH - RIGHT, y_of(tick))
        canvas.text(LEFT - 6, y_of(tick) + 4, f"{tick:g}", anchor="end")
    slot = (WIDTH - LEFT - RIGHT) / len(groups)
    width = slot * 0.8 / len(series)
    for number, group in enumerate(groups):
        x = LEFT + slot * number + slot * 0.1
        canvas.text(x + slot * 0.4, HEIGHT - BOTTOM + 18, group, anchor="middle")
        for figures, colour in zip(series.values(), COLOURS):
            figure = figures[number]
            if figure:
                canvas.box(x, y_of(figure.median), width * 0.92, y_of(0) - y_of(figure.median), colour)
                canvas.line(x + width * 0.46, y_of(figure.low), x + width * 0.46, y_of(figure.high), "#222")
                canvas.text(x + width * 0.46, y_of(figure.high) - 4, f"{figure.median:.3g}", anchor="middle", size=10)
            x += width
    canvas.legend(series)
    return canvas.done()


def lines(title, unit, points, series):
    """`series`: name -> a Figure (or None) for each of `points`; both axes logarithmic or by name."""
    canvas = Canvas(title, unit)
    there = [figure for figures in series.values() for figure in figures if figure]
    low = math.floor(math.log10(min(figure.low for figure in there)))
    high = math.ceil(math.log10(max(figure.high for figure in there)))
    height = HEIGHT - TOP - BOTTOM
    y_of = lambda value: TOP + height * (1 - (math.log10(value) - low) / (high - low))
    for decade in range(low, high + 1):
        canvas.line(LEFT, y_of(10**decade), WIDTH - RIGHT, y_of(10**decade), "#aaa")
        canvas.text(LEFT - 6, y_of(10**decade) + 4, f"{10.0**decade:g}", anchor="end")
        for digit in range(2, 10) if decade < high else ():
            canvas.line(LEFT, y_of(digit * 10**decade), WIDTH - RIGHT, y_of(digit * 10**decade), "#eee")
    step = (WIDTH - LEFT - RIGHT - 120) / max(1, len(points) - 1)
    x_of = lambda number: LEFT + 40 + step * number
    for number, point in enumerate(points):
        canvas.text(x_of(number), HEIGHT - BOTTOM + 18, point, anchor="middle")
    for figures, colour in zip(series.values(), COLOURS):
        places = [(x_of(number), figure) for number, figure in enumerate(figures) if figure]
        for (x1, one), (x2, other) in zip(places, places[1:]):
            canvas.line(x1, y_of(one.median), x2, y_of(other.median), colour, 2)
        for x, figure in places:
            canvas.line(x, y_of(figure.low), x, y_of(figure.high), colour, 4)
            canvas.text(x + 7, y_of(figure.median) - 4, f"{figure.median:.3g}", size=10)
    canvas.legend(series)
    return canvas.done()
