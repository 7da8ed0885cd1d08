"""What the tests need from Debian, installed when we may, otherwise said: ``python -m tests.kit.prerequisites``.

Only Chromium for now. Everything else the tests need comes from PyPI with ``make``.
"""

from __future__ import annotations

import os
import shutil
import subprocess


def chromium() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def why_no_chromium() -> str:
    return "Chromium is not installed, and only root may install it here (apt-get install chromium)"


def main() -> None:
    if chromium():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The browser tests will be skipped: {why_no_chromium()}.")
        return
    print("Installing Chromium for the browser tests ...", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", "chromium"]):
        if subprocess.run(argv, env=environment, check=False, **quiet).returncode != 0:  # type: ignore[call-overload]
            print(f"The browser tests will be skipped: {' '.join(argv)} failed.")
            return


if __name__ == "__main__":
    main()
