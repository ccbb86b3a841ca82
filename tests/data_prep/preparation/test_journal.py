"""The journal: the last line of a raw file is valid, whichever shard wrote it."""

from data_prep.preparation.journal import Journal
from data_prep.preparation.process import FileResult

DESCRIPTION = {"flags": {}}


def test_a_journal_that_was_killed_at_its_start_is_not_a_foreign_file(tmp_path):
    (tmp_path / ".abc-.progress.jsonl").write_text('{"layo')
    assert not Journal(tmp_path, DESCRIPTION).paths()


def test_the_last_line_of_all_journals_is_valid(tmp_path):
    first, second = Journal(tmp_path, DESCRIPTION, "-1-of-2"), Journal(tmp_path, DESCRIPTION, "-2-of-2")
    old = FileResult("a.png", "1", reason="empty file")
    new = FileResult("a.png", "2", images=(("a.png", "0" * 64),))
    video = FileResult("b.mp4", "3", (("b/0.png", "1" * 64), ("b/4.png", "2" * 64)), "", (0, 4), (8,))
    first.add([old, video])
    first.add([new])
    assert list(first.results(["b.mp4", "c.png", "a.png"])) == [video, None, new]
    assert list(second.results(["a.png"])) == [None]
    second.read()
    assert list(second.results(["a.png", "b.mp4"])) == [new, video]
    second.add([old])
    assert list(second.results(["b.mp4", "a.png"])) == [video, old]
