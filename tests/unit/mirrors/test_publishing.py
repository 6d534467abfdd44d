"""The next state of a directory that others read: in order, and whatever interrupts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.mirrors import publishing


class KilledError(Exception):
    """Stands for the end of the process."""


def state_of(content: str, top: Path) -> Path:
    """Write a tiny repository: an entrance that names an index, which names a package."""
    files = {
        "dists/InRelease": f"index-{content}",
        f"dists/by-hash/index-{content}": f"package-{content}",
        "dists/Packages": f"package-{content}",
        f"pool/package-{content}": content,
        "key": "the key",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def read(place: Path) -> str:
    """Read as a client does: the entrance, the index it names, the package that names."""
    return follow(place, (place / "dists/InRelease").read_text())


def follow(place: Path, index: str) -> str:
    """Read the file that an entrance names which was read before."""
    return (place / "pool" / (place / "dists/by-hash" / index).read_text()).read_text()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory in its first state."""
    publishing.publish(state_of("one", tmp_path / "one"), tmp_path / "place", {"told": 1})
    return tmp_path / "place"


def test_the_next_state_takes_the_place_of_the_last(place: Path, tmp_path: Path) -> None:
    assert read(place) == "one"
    assert publishing.state(place)["told"] == 1
    publishing.publish(state_of("two", tmp_path / "two"), place, {"told": 2})
    assert read(place) == "two"
    assert publishing.state(place)["told"] == 2


def test_who_began_before_finds_all_and_it_goes_one_state_later(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "GRACE", 0)
    publishing.publish(state_of("two", tmp_path / "two"), place, {})
    assert follow(place, "index-one") == "one"
    publishing.publish(state_of("three", tmp_path / "three"), place, {})
    assert not (place / "pool/package-one").exists()
    assert follow(place, "index-two") == "two"


def test_who_is_slow_finds_all_after_many_changes(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("two", "three", "four"):
        publishing.publish(state_of(content, tmp_path / content), place, {})
    assert follow(place, "index-one") == "one"
    monkeypatch.setattr(publishing, "GRACE", 0)
    publishing.publish(state_of("five", tmp_path / "five"), place, {})
    assert not (place / "pool/package-one").exists()
    assert follow(place, "index-four") == "four"


def test_what_is_the_same_is_not_touched(place: Path, tmp_path: Path) -> None:
    before = (place / "key").stat().st_ino
    publishing.publish(state_of("two", tmp_path / "two"), place, {})
    assert (place / "key").stat().st_ino == before


def test_empty_directories_go(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "GRACE", 0)
    for number in range(2):
        later = tmp_path / f"later{number}"
        later.mkdir()
        (later / "key").write_text("the key")
        publishing.publish(later, place, {})
    assert {each.name for each in place.iterdir()} == {"key", publishing.STATE}


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment_readers_are_served_and_the_next_run_completes(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    steps = 0

    def counted(step):  # type: ignore[no-untyped-def]
        def call(*arguments, **keywords):  # type: ignore[no-untyped-def]
            nonlocal steps
            if steps == moment:
                raise KilledError
            steps += 1
            return step(*arguments, **keywords)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "link", counted(publishing.link))
        patched.setattr(Path, "rename", counted(Path.rename))
        patched.setattr(Path, "unlink", counted(Path.unlink))
        with pytest.raises(KilledError):
            publishing.publish(state_of("two", tmp_path / "two"), place, {"told": 2})
    assert read(place) in ("one", "two")
    publishing.publish(state_of("two", tmp_path / "again"), place, {"told": 2})
    assert read(place) == "two"
    assert not list(place.rglob("*.new"))
