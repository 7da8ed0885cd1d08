"""The curves as a picture: a panel each, both axes logarithmic, so that what grows evenly is a straight line. SVG, by hand.

Its colours are those of neither paper nor night: the page may be shown on a light background or on a dark one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.curves.measure import points
from tests.benchmarks.growth import Points
from tests.benchmarks.report import text
from tests.benchmarks.results import Table

PANELS: Final = {
    "entities": ("CPU ms", "p50 ms"),
    "subgraphs": ("CPU ms", "plan ms"),
    "connections": ("CPU ms", "p50 ms", "peak RSS MB"),
    "types": ("compose ms", "load ms", "plan ms", "CPU ms", "idle RSS MB"),
}
"""Table → the columns drawn over its first one."""

_COLORS: Final = ("#12908a", "#c07a1e", "#8a6fc0", "#c2524f", "#6b8e23")
_INK: Final = "#7d8590"
_PANEL, _PLOT_WIDTH, _PLOT_HEIGHT = 500, 330, 220
_LEFT, _TOP, _ROW = 56, 70, 330
_LINE: Final = 15
"""Between two names, at least."""
_BEYOND: Final = 1.25
"""How far the axes go past the first and the last point, as a factor."""


def drawn(tables: Sequence[Table]) -> str:
    """The panels of those of these tables that have one, two in a row."""
    found = [table for table in tables if table.name in PANELS]
    height = 40 + _ROW * math.ceil(len(found) / 2)
    shapes = [
        shape
        for number, table in enumerate(found)
        for shape in _panel(table, _LEFT + _PANEL * (number % 2), _TOP + _ROW * (number // 2))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _PANEL} {height}" width="{2 * _PANEL}" role="img">',
            f"<style>text{{font:12px system-ui,sans-serif;fill:{_INK}}}.title{{font-size:15px;font-weight:600}}"
            ".panel{font-weight:600}</style>",
            '<text x="12" y="22" class="title">What a request costs as something grows (both axes logarithmic)</text>',
            *shapes,
            "</svg>\n",
        ]
    )


def _panel(table: Table, left: float, top: float) -> list[str]:
    lines = {column: points(table, column) for column in PANELS[table.name]}
    across = _Axis([at for line in lines.values() for at, _ in line], left, left + _PLOT_WIDTH)
    up = _Axis([value for line in lines.values() for _, value in line], top + _PLOT_HEIGHT, top)
    shapes = [
        f'<text x="{left}" y="{top - 14}" class="panel">{escape(table.title)}</text>',
        f'<rect x="{left}" y="{top}" width="{_PLOT_WIDTH}" height="{_PLOT_HEIGHT}" fill="none" stroke="{_INK}" opacity=".6"/>',
    ]
    for at, _ in next(iter(lines.values())):
        shapes.append(
            f'<text x="{across.place(at):.1f}" y="{top + _PLOT_HEIGHT + 17}" text-anchor="middle">{int(at):,}</text>'
        )
    for power in up.powers():
        y = up.place(10.0**power)
        shapes += [
            f'<line x1="{left}" x2="{left + _PLOT_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_INK}" opacity=".25"/>',
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>',
        ]
    names = _apart({column: up.place(line[-1][1]) for column, line in lines.items()})
    for color, (column, line) in zip(_COLORS, lines.items(), strict=False):
        shapes += _line(line, across, up, color)
        shapes.append(
            f'<text x="{left + _PLOT_WIDTH + 6}" y="{names[column] + 4:.1f}" style="fill:{color}">{escape(column)}</text>'
        )
    return shapes


def _line(line: Points, across: _Axis, up: _Axis, color: str) -> list[str]:
    places = [(across.place(at), up.place(value)) for at, value in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [
        f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"><title>{int(at):,}: {text(value)}</title></circle>'
            for (x, y), (at, value) in zip(places, line, strict=True)
        ),
    ]


def _apart(places: dict[str, float]) -> dict[str, float]:
    """Names beside the ends of their lines, pushed down where they would stand on each other."""
    found: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(places.items(), key=lambda each: each[1]):
        last = found[name] = max(y, last + _LINE)
    return found


class _Axis:
    """Values to places, by their logarithms."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = math.log10(min(values) / _BEYOND), math.log10(max(values) * _BEYOND)
        self._start, self._length = start, end - start

    def place(self, value: float) -> float:
        return self._start + (math.log10(value) - self._low) / (self._high - self._low) * self._length

    def powers(self) -> range:
        """The powers of ten on it."""
        return range(math.ceil(self._low), math.floor(self._high) + 1)
