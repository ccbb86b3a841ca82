import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.__main__ import main


def test_the_summary_names_counts_reasons_contradictions_and_the_next_step(raw, tmp_path, capsys):
    (raw / "real" / "text.png").write_text("hello")
    (raw / "real" / "copy.png").write_bytes((raw / "fake" / "clip" / "0.png").read_bytes())
    main(["folders", str(raw), str(tmp_path / "out"), "--workers", "1"])
    printed = capsys.readouterr().out
    assert "prepared 21 images" in printed and "10 fake" in printed and "11 real" in printed
    assert "1 not an image" in printed and "skipped.csv" in printed
    assert "real and fake: 1, e.g. fake/clip/0.png (fake) and real/copy.png (real)" in printed
    assert f"--data NAME={tmp_path / 'out'}" in printed


def test_one_class_is_prepared_and_reported(raw, tmp_path, capsys):
    main(["folders", str(raw / "fake" / ".."), str(tmp_path / "both"), "--workers", "1"])
    assert "only" not in capsys.readouterr().out
    (raw / "real").rename(tmp_path / "away")
    main(["folders", str(raw), str(tmp_path / "out"), "--workers", "1"])
    printed = capsys.readouterr().out
    assert "only fake images" in printed and "next:" not in printed


def test_the_next_step_can_be_pasted_into_a_shell(raw, tmp_path, capsys):
    dst = tmp_path / "my faces"
    main(["folders", str(raw), str(dst), "--workers", "1"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("next:"))
    assert shlex.split(line.partition("   (")[0])[4] == f"NAME={dst}"


def command(*words):
    return subprocess.run([sys.executable, "-m", "data_prep", *map(str, words)], capture_output=True, text=True)


def test_the_command_ends_with_two_and_one_line_on_a_mistake(tmp_path):
    done = command("folders", tmp_path / "nowhere", tmp_path / "out")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    done = command("folders", tmp_path, tmp_path / "out", "--sise", "3")
    assert done.returncode == 2 and "--sise" in done.stderr and "Traceback" not in done.stderr


def test_help_and_haar_do_not_load_tensorflow(raw, tmp_path):
    code = (
        "import sys, contextlib\n"
        "from common.errors import UserError\n"
        "from data_prep.__main__ import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"flags = ['folders', {str(raw)!r}, {str(tmp_path / 'out')!r}, '--faces', 'haar', '--workers', '1']\n"
        "with contextlib.suppress(UserError): main(flags)\n"
        "from data_prep.preparation.crops import detector_of_thread\n"
        "assert detector_of_thread.cache_info().currsize == 1\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(flag in done.stdout for flag in ("--faces", "--max-unreadable", "mesonet", "verify DST"))


@pytest.mark.parametrize("name", ["common/__init__.py", "common.py"])
def test_another_module_of_that_name_in_the_working_folder_is_named(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", "import data_prep"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"another module `common` hides that of this suite: {tmp_path / name}" in ended.stderr.splitlines()[-1]
