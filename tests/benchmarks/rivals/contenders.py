"""The gateways, each as its makers would run it in production: one process, no log of requests, no reports to anybody.

``python -m tests.benchmarks.rivals.contenders`` installs those that come from npm. What is not there is left out, with
the reason. Sharing means that identical requests under way to a subgraph are sent once.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.benchmarks.rivals.world import SUBGRAPHS
from tests.kit import npm

HERE: Final = Path(__file__).parent
INSTALLED: Final = HERE.parents[2] / ".data" / "npm-bench"
NPM_S_MAX: Final = 300
APOLLO, APOLLO_SERVER, HIVE, HIVE_PLANNER, GRAFBASE = "2.14.4", "5.5.1", "2.15.1", "1.4.23", "0.103.0"
_GRAFBASE_PACKAGE: Final = "@grafbase/cli-x86_64-unknown-linux-musl"
"""The npm package ``grafbase`` only chooses between packages that hold the binary; this is the newest of them."""
_GRAFBASE_RUNS: Final = platform.system() == "Linux" and platform.machine() == "x86_64"
PACKAGES: Final = (
    f"@apollo/gateway@{APOLLO}",
    f"@apollo/server@{APOLLO_SERVER}",
    "graphql@16.15.0",
    f"@graphql-hive/gateway@{HIVE}",
    f"@graphql-hive/router-runtime@{HIVE_PLANNER}",
    *([f"{_GRAFBASE_PACKAGE}@{GRAFBASE}"] if _GRAFBASE_RUNS else []),
)
_WHY_NO_GRAFBASE: Final = "its newest binary on npm is for Linux on x86_64"
_PRODUCTION: Final = {"NODE_ENV": "production"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs: its directory with ``supergraph.graphql``, and its port."""

    directory: Path
    port: int
    urls: Mapping[str, str]
    """Of the subgraphs."""

    @property
    def supergraph(self) -> Path:
        return self.directory / "supergraph.graphql"

    def write(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        return str(self.directory / name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    name: str
    """With its version; the same for its two levels of sharing."""
    shares: bool = False
    command: Callable[[Place], list[str]]
    """Writes the files it needs."""
    environment: Mapping[str, str] = field(default_factory=dict)


def _galleria(*, shares: bool) -> Contender:
    return Contender(
        name=OURS,
        shares=shares,
        command=lambda place: [
            *(sys.executable, "-m", "gateway", "serve", "--production"),
            *("--supergraph", str(place.supergraph), "--port", str(place.port)),
        ],
        environment={"GALLERIA_LOG_LEVEL": "warning", "GALLERIA_SHARE_FETCHES": json.dumps(shares)},
    )


def _apollo(place: Place) -> list[str]:
    return ["node", str(HERE / "apollo.cjs"), str(place.supergraph), str(place.port)]


def _hive(way: str, *, shares: bool) -> Callable[[Place], list[str]]:
    transports = {"*.http": {"options": {"deduplicateInflightRequests": shares}}}
    config = {"transportEntries": transports, "logging": "error", "landingPage": False}

    def command(place: Place) -> list[str]:
        written = place.write("gateway.config.mjs", f"export const gatewayConfig = {json.dumps(config)};\n")
        return [
            *(
                "node",
                str(INSTALLED / "node_modules" / ".bin" / "hive-gateway"),
                "supergraph",
                str(place.supergraph),
                way,
            ),
            *("--disable-websockets", "--host", "127.0.0.1", "--port", str(place.port), "--config-path", written),
        ]

    return command


def _grafbase(*, shares: bool) -> Callable[[Place], list[str]]:
    binary = INSTALLED / "node_modules" / _GRAFBASE_PACKAGE / "grafbase"

    def command(place: Place) -> list[str]:
        binary.chmod(0o755)
        lines = ["[traffic_shaping]", f"inflight_deduplication = {json.dumps(shares)}"]
        for name, sdl in SUBGRAPHS.items():
            place.write(f"{name}.graphql", sdl)
            lines += [f"[subgraphs.{name}]", f'schema_path = "{name}.graphql"', f'url = "{place.urls[name]}"']
        written = place.write("grafbase.toml", "\n".join(lines) + "\n")
        listen = f"127.0.0.1:{place.port}"
        return [str(binary), "--home", str(place.directory), "dev", "--config", written, "--listen-address", listen]

    return command


OURS: Final = f"Galleria {version('galleria')}"


def contenders() -> tuple[Contender, ...]:
    """Ours first; of the others those that are installed."""
    found = [_galleria(shares=False), _galleria(shares=True)]
    if why_alone() is not None:
        return tuple(found)
    node_path = {**_PRODUCTION, "NODE_PATH": str(INSTALLED / "node_modules")}
    found.append(Contender(name=f"@apollo/gateway {APOLLO}", command=_apollo, environment=node_path))
    for shares in (False, True):
        for name, way in (
            (f"@graphql-hive/gateway {HIVE} --jit", "--jit"),
            (f"@graphql-hive/gateway {HIVE}, Rust planner", "--hive-router-runtime"),
        ):
            found.append(
                Contender(name=name, shares=shares, command=_hive(way, shares=shares), environment=_PRODUCTION)
            )
        if _GRAFBASE_RUNS:
            found.append(Contender(name=f"grafbase {GRAFBASE}", shares=shares, command=_grafbase(shares=shares)))
    return tuple(found)


def left_out() -> tuple[str, ...]:
    """In sentences, who does not take part and why."""
    if why := why_alone():
        return (f"Left out: the gateways of others; {why}.",)
    return () if _GRAFBASE_RUNS else (f"Left out: grafbase; {_WHY_NO_GRAFBASE}.",)


def why_alone() -> str | None:
    """Why ours has nobody to be compared with, or None when it has."""
    if why := npm.why_no_npm():
        return why
    if not (INSTALLED / "node_modules").is_dir():
        return "they are not installed (make bench-rivals installs them)"
    return None


def node_version() -> str:
    """A sentence, empty where Node has no part."""
    if why_alone() is not None:
        return ""
    said = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=10).stdout
    return f"Node {said.strip().removeprefix('v')}."


def main() -> None:
    print(f"Installing the other gateways into {os.path.relpath(INSTALLED)} unless they are there ...", flush=True)
    if why := npm.install(INSTALLED, PACKAGES, s_max=NPM_S_MAX):
        print(f"Not installed: {why}.")
    for sentence in left_out():
        print(sentence)


if __name__ == "__main__":
    main()
