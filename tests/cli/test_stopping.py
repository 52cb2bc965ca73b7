"""Ctrl-C and being told to end: whatever the process is doing, in short order, with the right code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SWALLOWS = """
import sys, time
from semlink.cli.stopping import patient, stoppable
with stoppable(), patient(0.2):
    try:
        print("ready", flush=True)
        time.sleep(900)
    except BaseException:
        pass
    time.sleep(900)
"""
TIDIES = """
import sys, time
from semlink.cli.stopping import stoppable
with stoppable():
    try:
        print("ready", flush=True)
        time.sleep(900)
    finally:
        print("tidying", flush=True)
        time.sleep(0.5)
        print("tidied", flush=True)
"""


def started(code: str, handler=signal.default_int_handler, folder=None) -> subprocess.Popen:
    """Python that hears all signals, also where these tests run behind `nohup`."""

    def hearing() -> None:
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hearing,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_library_that_swallows_the_interruption_does_not_keep_the_process():
    process = started(SWALLOWS)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "semlink: ended in the middle of its work; finished points are kept, run again to continue\n"


@pytest.mark.parametrize("number, code", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_what_puts_things_in_order_is_not_interrupted_again(number, code):
    process = started(TIDIES)
    process.send_signal(getattr(signal, number))
    assert process.stdout.readline() == "tidying\n"
    process.send_signal(getattr(signal, number))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code and out == "tidied\n" and "Traceback" not in err


def test_an_ignored_signal_stays_ignored():
    """As in the background of a script."""
    process = started(TIDIES.replace("sleep(900)", "sleep(1)"), handler=signal.SIG_IGN)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and out.endswith("tidied\n")


def test_an_interruption_at_any_moment_of_a_start_is_told_in_one_line():
    """Also while the command line itself is imported."""
    code = "import os, signal, sys\nimport semlink.cli.stopping\n"
    code += "class Slow:\n    def find_spec(self, name, *rest):\n        if name == 'typer':\n"
    code += "            os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.meta_path.insert(0, Slow())\nfrom semlink.cli.entry import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (130, "semlink: interrupted\n")


def test_an_interruption_after_the_work_changes_nothing():
    code = TIDIES.replace("sleep(900)", "sleep(0)") + "\nprint('done', flush=True)\ntime.sleep(0.5)"
    process = started(code)
    while process.stdout.readline() != "done\n":
        pass
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=300) == ("", "") and process.returncode == 0


FULL, CLOSED = (f"semlink: standard output: {why}; files are kept\n" for why in ("no space left on device", "closed"))


@pytest.mark.parametrize(
    "where, says", [(">&-", CLOSED), ("<&- >&-", CLOSED), ("<&- >&- 2>&-", ""), ("> /dev/full", FULL)]
)
def test_a_standard_output_that_takes_nothing_is_told(where, says):
    command = f"{sys.executable} -m semlink.cli list channel {where}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, says)


def test_a_terminal_without_utf_8_gets_what_it_can_show():
    code = "import sys; sys.argv = ['semlink', 'list', 'nothing-\\u2192']; from semlink.cli.entry import main; main()"
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"nothing-" in done.stderr


TURNS = """
import os, sys
from pathlib import Path
from semlink.cli.stopping import stoppable
Path("slow_module.py").write_text('''
import time
print("ready", flush=True)
try:
    for _ in range(10):
        time.sleep(0.1)
except BaseException as fault:
    raise RuntimeError("a library made something else of it") from fault
''')
sys.path.insert(0, ".")
__name__ = "NAME"
def work():
    try:
        import slow_module
        AFTER
    finally:
        os.write(1, b"tidied\\n")
with stoppable():
    work()
"""


@pytest.mark.parametrize("after", ["time.sleep(900)", "pass"])
@pytest.mark.parametrize("name, told", [("semlink.link.sweep.run", "tidied\n"), ("other", "")])
def test_no_module_is_interrupted_while_it_is_imported(tmp_path, name, told, after):
    """Compiled ones abort, and pydantic makes an error of its own of it. What is at work puts things in order first."""
    process = started(TURNS.replace("AFTER", after).replace("NAME", name), folder=tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (130, told, "semlink: interrupted\n")


@pytest.mark.parametrize("moment, told", [("__enter__", ""), ("__exit__", "worked\n")])
def test_no_moment_before_or_after_the_work_loses_an_interruption(moment, told):
    """The signal comes at the first line of each, as it does now and then beside busy neighbours."""
    code = "import os, signal, sys, threading\nfrom semlink.cli import stopping\n"
    if moment == "__enter__":  # as soon as there is a handler
        code += "real = signal.signal\ndef late(number, handler):\n    real(number, handler)\n"
        code += "    callable(handler) and os.kill(os.getpid(), signal.SIGINT)\nsignal.signal = late\n"
    else:
        code += "def trace(frame, event, arg):\n"
        code += "    if frame.f_code is stopping.stoppable.__exit__.__code__:\n"
        code += "        sys.settrace(None)\n        os.kill(os.getpid(), signal.SIGINT)\nsys.settrace(trace)\n"
    code += "print('ready', flush=True)\nwith stopping.stoppable():\n    print('worked', flush=True)\n"
    process = started(code)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (130, told, "semlink: interrupted\n")


def test_who_failed_does_not_take_libraries_apart():
    """A run whose worker was killed ended in 5 s and not in 3 beside busy neighbours."""
    code = "import atexit, sys\nfrom semlink.cli.stopping import stoppable\natexit.register(print, 'apart')\n"
    code += "print('ready', flush=True)\nwith stoppable():\n    print('said')\n    sys.exit({})"
    for status, told in ((2, "said\n"), (0, "said\napart\n")):
        process = started(code.format(status))
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out, err) == (status, told, "")


def test_what_a_library_makes_of_the_interruption_is_still_an_interruption():
    code = TIDIES[: TIDIES.index("    finally")] + "    except KeyboardInterrupt:\n        raise ValueError\n"
    process = started(code)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "semlink: interrupted\n")


def test_an_interruption_is_told_once(tmp_path):
    """In the words of the command."""
    (tmp_path / "s.yaml").write_text(
        "name: s\nsource: {kind: scenes, clips: 1, frames: 2, size: [16, 16]}\nchannel: {kind: awgn}\n"
        "sweep: {snr_db: [4], budget: [1]}\nschemes: [{name: S, kind: softcast}]\n"
    )
    code = "import os, signal, sys\nimport semlink.cli.actions as actions\n"
    code += "actions.run_scenario = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "from semlink.cli.entry import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "s.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 130
    assert done.stderr == "semlink: interrupted; finished points are kept, run again to continue\n"


HELD_UP = """
import os, time
from semlink.cli.stopping import patient, stoppable
from semlink.files import write_atomic
def slow(file):
    print("ready", flush=True)
    while True:
        try:
            time.sleep(900)
        except BaseException:
            pass
os.fsync = slow
with stoppable(), patient(0.2):
    write_atomic("x.json", b"{}")
"""


def test_who_is_ended_while_a_slow_disk_holds_him_up_leaves_nothing_half_written(tmp_path):
    process = started(HELD_UP, folder=tmp_path)
    assert list(tmp_path.iterdir())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130 and not list(tmp_path.iterdir())
