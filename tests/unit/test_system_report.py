"""The report of a run on a real cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.report import Sample, plot, reported


def run(place: Path) -> None:
    """Have something to report, and fail."""
    with reported(place, "system") as report:
        report.figure("adjusts < 1 s", "3")
        report.walk("a walk").extend([Sample(0, 1, 1), Sample(2, 3, 2)])
        raise ZeroDivisionError


def test_a_run_that_fails_still_reports_its_figures_and_its_walk(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path)
    text = (tmp_path / "system.txt").read_text()
    assert "adjusts < 1 s: 3" in text
    assert "    2.0      3      2" in text
    page = (tmp_path / "system.html").read_text()
    assert "adjusts &lt; 1 s" in page
    assert page.count("<polyline") == 1


def test_the_plot_shows_where_guest_and_record_differ() -> None:
    alike = plot([Sample(0, 1, 1), Sample(2, 3, 3)])
    late = plot([Sample(0, 1, 1), Sample(2, 3, 1)])
    assert alike != late


def test_a_walk_that_nobody_saw_has_no_plot(tmp_path: Path) -> None:
    with reported(tmp_path, "system") as report:
        report.walk("a walk")
    assert "<svg" not in (tmp_path / "system.html").read_text()


def test_without_anything_to_show_there_is_no_report(tmp_path: Path) -> None:
    with reported(tmp_path, "system"):
        pass
    assert not list(tmp_path.iterdir())
