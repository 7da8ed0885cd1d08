"""What the tests need from elsewhere, installed when we may, otherwise said: ``python -m tests.kit.prerequisites``.

Chromium from Debian, and another maker's gateway from npm. Everything else the tests need comes from PyPI with ``make``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.kit import npm

FOREIGN_GATEWAY: Final = Path(__file__).parents[2] / ".data" / "npm"
"""Where npm puts @apollo/gateway."""
_PACKAGES: Final = ("@apollo/gateway@2.14.4", "graphql@16.15.0")
_NPM_S_MAX: Final = 120
_QUIET: Final = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def chromium() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def why_no_chromium() -> str:
    return "Chromium is not installed, and only root may install it here (apt-get install chromium)"


def foreign_gateway() -> Path | None:
    """Where @apollo/gateway is, when there is a Node to run it, or None."""
    package = FOREIGN_GATEWAY / "node_modules" / "@apollo" / "gateway"
    return package if package.is_dir() and shutil.which("node") else None


def why_no_foreign_gateway() -> str:
    return npm.why_no_npm() or "@apollo/gateway is not installed (python -m tests.kit.prerequisites)"


def main() -> None:
    _install_chromium()
    _install_foreign_gateway()


def _install_chromium() -> None:
    if chromium():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The browser tests will be skipped: {why_no_chromium()}.")
        return
    print("Installing Chromium for the browser tests ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", "chromium"]):
        if subprocess.run(argv, env=environment, check=False, **_QUIET).returncode != 0:  # type: ignore[call-overload]
            print(f"The browser tests will be skipped: {' '.join(argv)} failed.")
            return


def _install_foreign_gateway() -> None:
    if foreign_gateway():
        return
    print("Installing @apollo/gateway for the tests with another gateway ...", flush=True)
    if why := npm.install(FOREIGN_GATEWAY, _PACKAGES, s_max=_NPM_S_MAX):
        print(f"The tests with another gateway will be skipped: {why}.")


if __name__ == "__main__":
    main()
