"""The figures of a run, for people: dist/reports/NAME.txt and NAME.html."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_STYLE = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em 1em;"
_STYLE += "text-align:left}svg{width:100%;background:#f6f6f6}"
_WIDTH, _HEIGHT, _EDGE = 900, 260, 30


@dataclass(frozen=True)
class Sample:
    """One look at a walking server: when, in seconds, and the figures of two views."""

    seconds: float
    record: int
    guest: int


@contextmanager
def reported(directory: Path, name: str) -> Iterator[Report]:
    """Yield a report; it is written in the end, also after a failure."""
    report = Report()
    try:
        yield report
    finally:
        report.write(directory, name)


@dataclass
class Report:
    """Collects figures and walks while the tests run."""

    figures: list[tuple[str, str]] = field(default_factory=list)
    walks: dict[str, list[Sample]] = field(default_factory=dict)

    def figure(self, what: str, value: str) -> None:
        """Show a figure, with its unit."""
        self.figures.append((what, value))

    def walk(self, title: str) -> list[Sample]:
        """Return the list that takes a walk's samples."""
        return self.walks.setdefault(title, [])

    def write(self, directory: Path, name: str) -> None:
        """Write both files; nothing if there is nothing to show."""
        if not (self.figures or self.walks):
            return
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.txt").write_text(self.text())
        (directory / f"{name}.html").write_text(self.page(name))

    def text(self) -> str:
        """Return the figures and the walks as plain text."""
        lines = [f"{what}: {value}" for what, value in self.figures]
        for title, samples in self.walks.items():
            lines += ["", f"{title}: vCPUs (seconds, record, guest)"]
            lines += [f"{each.seconds:7.1f} {each.record:6} {each.guest:6}" for each in samples]
        return "\n".join(lines) + "\n"

    def page(self, name: str) -> str:
        """Return figures and plots as a web page that needs nothing else."""
        rows = "".join(
            f"<tr><td>{html.escape(what)}</td><td>{html.escape(value)}</td></tr>\n"
            for what, value in self.figures
        )
        plots = "".join(
            f"<h2>{html.escape(title)}: vCPUs</h2>\n{plot(samples)}\n"
            for title, samples in self.walks.items()
        )
        return (
            f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>nova-xloud: {name}'
            f"</title>\n<style>{_STYLE}</style>\n<h1>nova-xloud: {name}</h1>\n"
            f"<table>{rows}</table>\n{plots}</html>\n"
        )


def plot(samples: Sequence[Sample]) -> str:
    """Return a drawing of a walk in SVG: the record as an area, the guest as a line."""
    if not samples:
        return "<p>not seen</p>"
    end = max(each.seconds for each in samples) or 1
    top = max(max(each.record, each.guest) for each in samples)

    def steps(values: Sequence[int]) -> str:
        across = [_EDGE + each.seconds / end * (_WIDTH - 2 * _EDGE) for each in samples]
        up = [_HEIGHT - _EDGE - value / top * (_HEIGHT - 2 * _EDGE) for value in values]
        # each value holds until the next
        held = zip([*across[1:], across[-1]], up, strict=True)
        corners = zip(zip(across, up, strict=True), held, strict=True)
        return " ".join(f"{x:.1f},{y:.1f}" for pair in corners for x, y in pair)

    base = _HEIGHT - _EDGE
    area = f"{_EDGE},{base} {steps([s.record for s in samples])} {_WIDTH - _EDGE},{base}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f'<polygon points="{area}" fill="#9cc9e8"/>'
        f'<polyline points="{steps([s.guest for s in samples])}" fill="none" '
        'stroke="#b3261e" stroke-width="2"/>'
        f'<text x="4" y="{_EDGE}">{top}</text><text x="4" y="{base}">0</text>'
        f'<text x="{_WIDTH - 3 * _EDGE}" y="{_HEIGHT - 8}">{end:.0f} s</text>'
        f'<text x="{_EDGE}" y="{_HEIGHT - 8}">area: the record; line: the guest</text></svg>'
    )
