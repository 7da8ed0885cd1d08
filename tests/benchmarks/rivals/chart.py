"""The first table as a picture: one panel a workload, one bar a gateway, CPU per request. SVG, by hand."""

from __future__ import annotations

from html import escape
from typing import Final

from tests.benchmarks.report import text
from tests.benchmarks.results import Cell, Table

_COLORS: Final = ("#0b7a75", "#9aa5b1", "#c9a227", "#d17a22", "#7b5ea7", "#b0413e")
_BAR, _GAP, _PANEL_GAP, _TOP = 16, 5, 34, 46
_NAME_WIDTH, _BARS_WIDTH, _FIGURE_WIDTH = 300, 420, 60
_WIDTH: Final = _NAME_WIDTH + _BARS_WIDTH + _FIGURE_WIDTH


def drawn(table: Table) -> str:
    """Each panel has a scale of its own: what compares is within one workload."""
    y = _TOP
    shapes: list[str] = []
    for column, workload in enumerate(table.columns[1:], start=1):
        found = [(number, str(row[0]), row[column]) for number, row in enumerate(table.rows) if row[column] is not None]
        most = max((float(value) for _, _, value in found if value is not None), default=0.0)
        shapes.append(f'<text x="{_NAME_WIDTH}" y="{y}" class="workload">{escape(workload)}</text>')
        y += 10
        for number, name, value in found:
            shapes += _bar(name, value, y, most, _COLORS[number % len(_COLORS)])
            y += _BAR + _GAP
        y += _PANEL_GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" role="img">',
            "<style>text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}"
            ".workload{font-weight:600}.ours{font-weight:600}</style>",
            f'<rect width="{_WIDTH}" height="{y}" fill="#fff"/>',
            f'<text x="12" y="22" class="title">{escape(table.title)} (shorter is better; each workload to its own scale)</text>',
            *shapes,
            "</svg>\n",
        ]
    )


def _bar(name: str, value: Cell, y: int, most: float, color: str) -> list[str]:
    assert isinstance(value, float)
    length = max(1.0, value / most * _BARS_WIDTH)
    ours = ' class="ours"' if name.startswith("**") else ""
    middle = y + _BAR - 4
    return [
        f'<text x="{_NAME_WIDTH - 8}" y="{middle}" text-anchor="end"{ours}>{escape(name.replace("**", ""))}</text>',
        f'<rect x="{_NAME_WIDTH}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{color}"/>',
        f'<text x="{_NAME_WIDTH + length + 6:.1f}" y="{middle}"{ours}>{text(value)}</text>',
    ]
