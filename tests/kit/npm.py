"""Packages of exact versions from npm, into a directory of their own. Whoever asks says what is skipped without them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def why_no_npm() -> str | None:
    """Why nothing can be installed or run, or None when it can."""
    return None if shutil.which("node") and shutil.which("npm") else "Node and npm are not installed"


def install(into: Path, packages: Sequence[str], *, s_max: float) -> str | None:
    """None when they are there afterwards, else why not. What another set of versions left behind is replaced."""
    done = into / "installed.txt"
    wanted = "\n".join(packages)
    if done.is_file() and done.read_text() == wanted:
        return None
    if why := why_no_npm():
        return why
    # Into a place of its own first: an installation that broke off must not look like one.
    unfinished = into.with_name(f"{into.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(unfinished))
    try:
        subprocess.run(
            ["npm", "install", *quietly, *packages],
            check=True,
            timeout=s_max,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(unfinished, ignore_errors=True)
        return f"npm could not install {', '.join(packages)}"
    (unfinished / done.name).write_text(wanted)
    shutil.rmtree(into, ignore_errors=True)
    unfinished.rename(into)
    return None
