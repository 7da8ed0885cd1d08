"""The embedded server keeps what it acknowledged and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from subgraphs.chassis.embedded_mongo import ROOT, EmbeddedMongo, EmbeddedServerFailed
from subgraphs.chassis.mongo import Mongo
from tests.conftest import CHECKOUT

HOME = CHECKOUT / ROOT
PARENT = """
import sys, time
from pathlib import Path
from subgraphs.chassis.embedded_mongo import EmbeddedMongo
server = EmbeddedMongo(Path(sys.argv[1]), root=Path(sys.argv[2]))
with server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds an embedded server."""
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(HOME)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    yield child
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_dies_with_its_parent_however_that_dies(parent: subprocess.Popen[str], how: signal.Signals) -> None:
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    assert is_running(server)
    parent.send_signal(how)
    deadline = time.monotonic() + 15
    while is_running(server):
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.02)


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    server = EmbeddedMongo(tmp_path, root=HOME)
    async with server as uri, await Mongo.connect(uri) as mongo:
        await mongo.database("d").collection("c").insert_many([{"_id": number} for number in range(50)])
        os.kill(server.pid, signal.SIGKILL)
    async with EmbeddedMongo(tmp_path, root=HOME) as uri, await Mongo.connect(uri) as mongo:
        assert await mongo.database("d").collection("c").count({}) == 50


def test_a_port_that_is_taken_is_told_in_the_servers_own_words(tmp_path: Path, mongodb_uri: str) -> None:
    port = int(mongodb_uri.rpartition(":")[2].partition("/")[0])
    with pytest.raises(EmbeddedServerFailed, match="ended at its start"), EmbeddedMongo(tmp_path, port, root=HOME):
        pass
