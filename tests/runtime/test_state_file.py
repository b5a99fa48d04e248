"""The state file: what was saved is loaded, and nothing else."""

import os
from contextlib import suppress
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.runtime.state_file import StateFile, StateFileError

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)
FIRST = cbor2.dumps({"first": 1})


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "totals", 3)


def test_there_is_none_at_first(state: StateFile) -> None:
    assert state.load() is None


@given(document=DOCUMENTS)
def test_what_was_saved_is_loaded(document: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = StateFile(tmp_path_factory.mktemp("state") / "totals", 1)
    state.save(FIRST)
    state.save(cbor2.dumps(document))
    assert state.load() == document
    assert [path.name for path in state.path.parent.iterdir()] == ["totals"]


def test_only_its_owner_may_read_it(state: StateFile) -> None:
    state.save(FIRST)
    assert state.path.stat().st_mode & 0o777 == 0o600


def test_another_version_is_refused(state: StateFile) -> None:
    state.save(FIRST)
    with pytest.raises(
        StateFileError, match=r"is of another version of the exporter \(3, this one writes 4\)"
    ):
        StateFile(state.path, 4).load()


@given(data=st.data())
def test_any_damage_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = StateFile(tmp_path_factory.mktemp("state") / "totals", 1)
    state.save(cbor2.dumps({"executions": list(range(50))}))
    content = state.path.read_bytes()
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        damaged = (
            content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
        )
    state.path.write_bytes(damaged)
    # Damage that leaves the header's meaning, such as other white space, leaves the document, too.
    with suppress(StateFileError):
        assert state.load() == {"executions": list(range(50))}


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"[1]\n", b"{}\n", b"\xff\n", b"[" * 5000])
def test_another_programs_file_is_refused(state: StateFile, content: bytes) -> None:
    state.path.write_bytes(content)
    with pytest.raises(StateFileError, match="is not a file of this exporter"):
        state.load()
    assert state.path.read_bytes() == content


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StateFileError, match="cannot be written: no such file or directory"):
        StateFile(tmp_path / "missing" / "totals", 1).save(FIRST)


def test_a_full_disk_leaves_what_was_saved_before(state: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    state.save(FIRST)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateFileError, match="cannot be written: no space left on device"):
        state.save(cbor2.dumps(2))
    monkeypatch.undo()
    assert state.load() == {"first": 1}
    assert [path.name for path in state.path.parent.iterdir()] == ["totals"]
