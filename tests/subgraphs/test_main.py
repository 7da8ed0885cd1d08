"""The command line refuses what it can not do in one line, and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.local.processes import free_port
from subgraphs.__main__ import cli
from subgraphs.chassis.mongo import Mongo
from tests.conftest import CHECKOUT

SECRET = "a secret of at least thirty-two bytes"
runner = CliRunner()


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "catalog", "--all"], ["print"], ["serve", "pets"]])
def test_a_command_needs_one_subgraph_that_exists_or_all(arguments: list[str]) -> None:
    assert runner.invoke(cli, arguments).exit_code == 2


def test_wrong_settings_stop_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/")
    monkeypatch.setenv("GALLERIA_IDENTITY_SECRET", "short")
    result = runner.invoke(cli, ["serve", "catalog"])
    assert result.exit_code == 2
    assert result.output.splitlines() == ["settings refused: identity_secret: Value error, must have at least 32 bytes"]


def test_a_database_that_is_away_stops_the_start_with_one_line_without_its_password() -> None:
    away = {**os.environ, "MONGODB_URI": "mongodb://u:hunter2@127.0.0.1:1/", "GALLERIA_IDENTITY_SECRET": SECRET}
    done = subprocess.run(
        [sys.executable, "-m", "subgraphs", "serve", "catalog"], env=away, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["no MongoDB server answers at 127.0.0.1:1"]


def test_schemas_are_printed_into_a_folder(tmp_path: Path) -> None:
    assert runner.invoke(cli, ["print", "catalog", "--out", str(tmp_path / "sdl")]).exit_code == 0
    assert "type Product" in (tmp_path / "sdl" / "catalog.graphql").read_text()


async def test_an_audit_names_what_is_wrong_and_exits_1(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"test_{secrets.token_hex(6)}_"
    given = {
        "MONGODB_URI": mongodb_uri,
        "GALLERIA_IDENTITY_SECRET": SECRET,
        "GALLERIA_DATABASE_PREFIX": prefix,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    level = {"on": 1, "rsv": 0, "alc": 0, "saf": 0, "free": 2, "v": 0}
    async with await Mongo.connect(mongodb_uri) as mongo:
        empty = await asyncio.to_thread(runner.invoke, cli, ["audit", "--at-rest"])
        await mongo.database(prefix + "inventory").collection("stock").insert_one({"_id": "LAMP|loc_1", **level})
        broken = await asyncio.to_thread(runner.invoke, cli, ["audit"])
        in_json = await asyncio.to_thread(runner.invoke, cli, ["audit", "--format", "json"])
        await mongo.database(prefix + "inventory").drop()
    assert (empty.exit_code, broken.exit_code, in_json.exit_code) == (0, 1, 1)
    assert "       LAMP|loc_1: free is stored as 2 and is 1" in broken.output.splitlines()
    findings = json.loads(in_json.output)["findings"]
    assert [one["number"] for one in findings if one["violations"]] == ["I1", "I3"]


def test_a_service_is_ready_then_ends_at_the_first_request_to_stop(mongodb_uri: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "MONGODB_URI": mongodb_uri,
        "GALLERIA_IDENTITY_SECRET": SECRET,
        "GALLERIA_DATABASE_PREFIX": f"test_{os.getpid()}_",
    }
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "subgraphs", "serve", "catalog", "--port", str(port)],
            env=environment,
            cwd=CHECKOUT,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            try:
                if httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        child.wait(10)
    finally:
        child.kill()
        child.wait()
    assert "Application shutdown complete." in (tmp_path / "log").read_text()
