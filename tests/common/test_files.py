import os
import shutil
import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import platformdirs
import pytest

from common.files import (
    atomic_folder,
    atomic_path,
    cache_folder,
    remove_folder,
    remove_leftovers,
    sha256,
    short_name,
    write_bytes,
    write_csv,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    write_bytes(b"before", path)
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def events(monkeypatch):
    """What is flushed and put in place, in order: the names that open descriptors have at that time."""
    seen, fsync, replace = [], os.fsync, os.replace

    def note_fsync(descriptor):
        seen.append(("flush", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def note_replace(source, target):
        seen.append(("replace", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are known on Linux alone")
def test_what_is_put_in_place_is_on_the_disk_before_and_its_folder_after(tmp_path, events):
    write_bytes(b"x", tmp_path / "a.csv")
    assert [kind for kind, _ in events] == ["flush", "replace", "flush"]
    assert events[0][1].endswith("-a.csv") and events[1:] == [("replace", "a.csv"), ("flush", tmp_path.name)]
    events.clear()
    write_bytes(b"x", tmp_path / "b.png", one_of_many=True)
    assert events == [("replace", "b.png")]
    events.clear()
    with atomic_folder(tmp_path / "checkpoint") as temporary:
        (temporary / "state.json").write_bytes(b"x")
    assert events == [("flush", "state.json"), ("replace", "checkpoint"), ("flush", tmp_path.name)]


def test_the_temporary_name_ends_like_the_final_one(tmp_path):
    with atomic_path(tmp_path / "best.weights.h5") as temporary:
        assert temporary.name.endswith("best.weights.h5")
        assert temporary.parent == tmp_path


def test_many_threads_leave_the_umask_and_the_modes_of_files_right(tmp_path, monkeypatch):
    """A umask of 027: files get 0o666 & ~0o027 = 0o640, whatever other threads write at the same time.

    A thread that changes the umask for a moment, which is the process's, is given time to be seen by the others.
    """
    umask = os.umask

    def slow_umask(mask):
        previous = umask(mask)
        time.sleep(0.001)
        return previous

    before = umask(0o027)
    monkeypatch.setattr(os, "umask", slow_umask)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: write_bytes(b"x", tmp_path / f"{number}"), range(100)))
        after = umask(0o027)
    finally:
        umask(before)
    files = list(tmp_path.iterdir())
    assert len(files) == 100 and {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640}
    assert after == 0o027


def test_csv_and_json_come_back(tmp_path):
    table = pd.DataFrame({"a": [1, 2], "b": ["x,y", ""]})
    write_csv(table, tmp_path / "folder" / "t.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "folder" / "t.csv", keep_default_na=False), table)
    write_json({"ä": 1}, tmp_path / "t.json")
    assert (tmp_path / "t.json").read_text() == '{\n  "ä": 1\n}\n'


def test_sha256_of_a_known_message(tmp_path):
    write_bytes(b"abc", tmp_path / "abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_user_without_a_home_has_a_cache_among_the_temporary_files(monkeypatch, tmp_path):
    """As a user of a container who has no line in /etc/passwd, or whose home there is /nonexistent."""
    monkeypatch.delenv("DEEPFAKE_REPRODUCTIONS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/")
    assert cache_folder().parent == Path(tempfile.gettempdir())

    def no_home(*_):
        raise RuntimeError("could not determine the home directory")

    home = tmp_path / "somebody"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    own = platformdirs.user_cache_path("deepfake-reproductions")
    assert cache_folder() == own
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cache_folder().parent == Path(tempfile.gettempdir()), "it cannot be created"
    own.mkdir(parents=True)
    assert cache_folder() == own, "it is there, to be read"
    monkeypatch.setattr(platformdirs, "user_cache_path", no_home)
    assert cache_folder().parent == Path(tempfile.gettempdir())


@pytest.mark.parametrize(("stem", "ending"), [("a.jpg", ".png"), ("x" * 251, ".png"), ("\u00e9" * 125, ".png")])
def test_names_have_at_most_255_bytes_and_their_ending(stem, ending, tmp_path):
    name = short_name(stem, ending)
    (tmp_path / name).touch()
    assert name.endswith(ending) and (name == stem + ending or len(os.fsencode(stem + ending)) > 255)
    assert short_name(stem + "y", ending) != name


def test_a_writer_removes_what_a_killed_one_left_of_the_same_name_and_nothing_else(tmp_path):
    names = [f".{'0123456789abcdef' * 2}-{name}" for name in ("t.csv", "other.csv", "folder")]
    for name in names[:2]:
        (tmp_path / name).write_text("half")
    (tmp_path / names[2]).mkdir()
    with atomic_path(tmp_path / "t.csv") as slow:  # a process that is alive: its file stays
        slow.write_text("slow")
        write_bytes(b"fast", tmp_path / "t.csv")
        with atomic_folder(tmp_path / "folder"):
            assert slow.exists() and not (tmp_path / names[0]).exists() and not (tmp_path / names[2]).exists()
    assert (tmp_path / "t.csv").read_text() == "slow"
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "folder", names[1]}


def test_a_folder_that_is_removed_is_never_there_in_part(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    for name in ("a", "b"):
        write_bytes(b"x", tmp_path / "checkpoint" / name)
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_folder(tmp_path / "checkpoint")
    monkeypatch.undo()
    assert not (tmp_path / "checkpoint").exists()
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())
