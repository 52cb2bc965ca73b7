"""What setup.cfg cannot say: the commit goes into what is built, and never into the working tree."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

NOTE = Path("semlink/built_from.txt")
GIT = ("git", "--no-optional-locks", "-C", Path(__file__).resolve().parent)


def commit() -> str | None:
    """The commit of this checkout, with '+' if the package differs; else the one that a source distribution notes."""
    if not (GIT[-1] / ".git").exists():  # a repository further up is another's
        return NOTE.read_text().strip() if NOTE.is_file() else None
    with suppress(OSError, subprocess.CalledProcessError):
        head, changed = (
            subprocess.run([*GIT, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "semlink"))
        )
        return head + "+" * bool(changed)
    return None


def put_into(folder: str) -> None:
    """Note the commit; nothing stays of one that an earlier build noted."""
    (note := Path(folder) / NOTE).unlink(missing_ok=True)
    if (known := commit()) is not None:
        note.write_text(f"{known}\n")


class BuildNoting(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # what runs from the checkout asks git
            put_into(self.build_lib)


class SdistNoting(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        put_into(base_dir)


setup(cmdclass={"build_py": BuildNoting, "sdist": SdistNoting})
