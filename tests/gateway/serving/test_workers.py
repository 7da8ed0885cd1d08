"""Several processes on one port: they share it, are replaced when they die, and end together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.kit.running_gateway import supergraph_sdl

pytestmark = pytest.mark.timeout(120)
READY = re.compile(r"Gateway ready on (\S+)/graphql: .*, worker (\d+) of 2")
DEADLINE_S = 30


class Workers:
    """A gateway of two workers, and what it says."""

    def __init__(self, folder: Path) -> None:
        file = folder / "supergraph.graphql"
        file.write_text(supergraph_sdl())
        self.log = folder / "log"
        command = [sys.executable, "-m", "gateway", "serve", "--supergraph", str(file), "--port", "0"]
        command += [
            "--workers",
            "2",
            "--subgraph",
            "things=http://127.0.0.1:9",
            "--subgraph",
            "stock=http://127.0.0.1:9",
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def ready(self, count: int) -> list[tuple[str, str]]:
        """The lines that say a worker is ready, once there are so many."""
        until = time.monotonic() + DEADLINE_S
        while len(found := READY.findall(self.log.read_text())) < count:
            assert time.monotonic() < until, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        return found

    @property
    def url(self) -> str:
        return self.ready(1)[0][0]

    def ask(self) -> httpx.Response:
        return httpx.post(f"{self.url}/graphql", json={"query": "{ __typename }"}, trust_env=False)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    running = Workers(tmp_path)
    try:
        running.ready(2)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait(DEADLINE_S)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + DEADLINE_S
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_they_share_the_port_and_are_counted_together(workers: Workers) -> None:
    for _ in range(7):
        assert workers.ask().json() == {"data": {"__typename": "Query"}}
    said = httpx.get(f"{workers.url}/metrics", trust_env=False).text
    assert 'galleria_operations_total{kind="query",outcome="whole"} 7.0' in said


def test_one_that_dies_is_replaced_and_the_others_go_on(workers: Workers) -> None:
    victim = int(workers.ready(2)[0][1])
    os.kill(victim, signal.SIGKILL)
    assert workers.ask().status_code == 200
    found = workers.ready(3)
    assert str(victim) not in {pid for _, pid in found[2:]}
    assert workers.ask().status_code == 200
    assert '"worker died"' in workers.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_they_end_together_and_in_order(workers: Workers, how: signal.Signals) -> None:
    pids = [int(pid) for _, pid in workers.ready(2)]
    workers.process.send_signal(how)
    assert workers.process.wait(DEADLINE_S) == 0
    assert gone(pids)
    assert "Traceback" not in workers.log.read_text()


def test_they_do_not_outlive_a_parent_that_is_killed(workers: Workers) -> None:
    pids = [int(pid) for _, pid in workers.ready(2)]
    workers.process.kill()
    assert gone(pids)


def test_what_makes_a_start_impossible_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "supergraph.graphql"
    file.write_text("type Query { a: Int }")
    command = [sys.executable, "-m", "gateway", "serve", "--supergraph", str(file), "--port", "0", "--workers", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert done.stderr.count(str(file)) == 1
