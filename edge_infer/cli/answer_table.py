"""Answers as a table: for people on a terminal, and as a CSV file."""

from __future__ import annotations

from typing import Any, Final

from edge_infer.cli.console import Grid, dumps, show_grid, write

__all__ = ["as_csv", "show"]

_MOST_CLASSES: Final = 6  # probabilities shown beside each other on a terminal
_MOST_ROWS: Final = 200  # rows shown on a terminal


def show(rows: list[dict[str, Any]], methods: list[str]) -> None:
    """A row for each answer; many classes are shown as the likeliest one's probability."""
    shown = rows[:_MOST_ROWS]
    columns = [column for method in methods for column in _terminal_columns(method, [row[method] for row in shown])]
    numbers = [str(number) for number in range(len(shown))]
    headers = ("row", *(name for name, _ in columns))
    body = list(zip(numbers, *(cells for _, cells in columns), strict=True))
    right = frozenset(i for i in range(len(headers)) if all(_numeric(row[i]) for row in body))
    show_grid(Grid(headers, body, right))
    if len(rows) > len(shown):
        write(f"… and {len(rows) - len(shown):,} more rows; --output FILE or --json gives them all")


def _terminal_columns(method: str, values: list[Any]) -> list[tuple[str, list[str]]]:
    first = values[0] if values else None
    if isinstance(first, dict) and len(first) <= _MOST_CLASSES:
        return [(f"P({key})", [f"{_number(value[key])}" for value in values]) for key in first]
    if isinstance(first, dict):
        return [("P(likeliest)", [f"{_number(max(value.values()))}" for value in values])]
    name = "prediction" if method == "predict" else method
    return [(name, [value if isinstance(value, str) else _cell(value) for value in values])]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_cell(item) for item in value) + "]"
    return value if isinstance(value, str) else dumps(value)


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else dumps(value)


def _numeric(text: str) -> bool:
    return text[:1].isdigit() or text[:1] == "-"


def as_csv(rows: list[dict[str, Any]], methods: list[str]) -> str:
    """A header and a line for each answer; missing and non-finite numbers are empty cells."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    flat = [_flat(row, methods) for row in rows]
    writer.writerow(list(flat[0]) if flat else ["prediction"])
    writer.writerows([_csv_cell(cell) for cell in row.values()] for row in flat)
    return text.getvalue()


def _flat(row: dict[str, Any], methods: list[str]) -> dict[str, Any]:
    """prediction, P(label) … : one cell for each value of the answers."""
    cells: dict[str, Any] = {}
    for method in methods:
        value, name = row[method], "prediction" if method == "predict" else method
        if isinstance(value, dict):
            cells |= {f"P({key})": item for key, item in value.items()}
        elif isinstance(value, list):
            cells |= {f"{name}_{i}": item for i, item in enumerate(value)}
        else:
            cells[name] = value
    return cells


def _csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    text = dumps(value)
    return "" if text == "null" else text
