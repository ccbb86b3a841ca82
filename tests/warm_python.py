"""A process that has imported TensorFlow and runs each command line in a fork of its own.

The tests of the papers run some hundred commands; each would spend about seven seconds of CPU time on imports. Only
libraries are imported before the fork: every command imports the suite itself, as a new interpreter does.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path


class WarmPython:
    """Client of the process; `run` is `subprocess.run([sys.executable, *words], ...)` for a script or `-m module`."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip

    def run(self, words, cwd, env, timeout):
        """Return the CompletedProcess of a command line; killed by SIGALRM, it has exit code -14."""
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ("stdout", "stderr")]
            request = {"words": words, "cwd": str(cwd), "env": dict(env), "files": files, "timeout": timeout}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(words, code, *(Path(file).read_text("utf-8") for file in files))

    def close(self):
        """End the process."""
        self._process.communicate()


def serve():
    """Answer each line of stdin, a request, with the exit code of its command."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # as common.tensorflow_import sets it
    import cv2  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
    import skops.io  # noqa: F401
    import tensorflow  # noqa: F401
    import tyro  # noqa: F401

    gc.freeze()  # the children share what is there, and do not look at it again
    for line in open(0, "rb", buffering=0, closefd=False):  # noqa: SIM115 (sys.stdin would read ahead of the fork)
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run_words(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run_words(words, cwd, env, files, timeout):
    """Do what `python WORDS` does, in this process, which a signal ends after `timeout` seconds."""
    for descriptor, file in enumerate((os.devnull, *files)):
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[1:1] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    signal.alarm(timeout)
    code = 0
    try:
        if words[0] == "-m":
            sys.argv, sys.path[0] = words[1:], cwd
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the end of an interpreter without its last part, which takes two seconds with TensorFlow


if __name__ == "__main__":
    serve()
