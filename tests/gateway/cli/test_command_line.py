"""The commands as a person or a script runs them: what they print, where, and their exit status."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.pipeline.issuer import create_key_file
from tests.kit.running_gateway import LINK, STOCK, THINGS, supergraph_sdl

QUERY = "{ thing(id: 1) { name units } }"


def run(*arguments: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def listed(broken: bool = False) -> dict[str, Any]:
    stock = STOCK.replace("units: Int", "units: Nope") if broken else STOCK
    return {
        "subgraphs": [
            {"name": "things", "url": "http://things.invalid/graphql", "sdl": LINK + THINGS},
            {"name": "stock", "url": "http://stock.invalid/graphql", "sdl": LINK + stock},
        ]
    }


@pytest.fixture
def supergraph(tmp_path: Path) -> Path:
    file = tmp_path / "supergraph.graphql"
    file.write_text(supergraph_sdl())
    return file


def test_compose_prints_the_supergraph(tmp_path: Path) -> None:
    (tmp_path / "things.graphql").write_text(LINK + THINGS)
    entries = listed()["subgraphs"]
    entries[0] = {"name": "things", "url": entries[0]["url"], "file": "things.graphql"}
    (tmp_path / "subgraphs.json").write_text(json.dumps({"subgraphs": entries}))
    done = run("compose", "--subgraphs", tmp_path / "subgraphs.json")
    assert (done.returncode, done.stdout) == (0, supergraph_sdl())


def test_compose_writes_what_it_is_told_to_write(tmp_path: Path) -> None:
    (tmp_path / "subgraphs.json").write_text(json.dumps(listed()))
    done = run("compose", "--subgraphs", tmp_path / "subgraphs.json", "--write", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "out/supergraph.graphql").read_text() == supergraph_sdl()
    assert "join__" not in (tmp_path / "out/api.graphql").read_text()


def test_compose_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    (tmp_path / "subgraphs.json").write_text(json.dumps(listed(broken=True)))
    done = run("compose", "--subgraphs", tmp_path / "subgraphs.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Nope" in done.stderr
    as_json = run("compose", "--subgraphs", tmp_path / "subgraphs.json", "--format", "json")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["errors"][0]["code"] == "INVALID_GRAPHQL"


def test_compose_answers_every_line_in_its_place() -> None:
    lines = "\n".join(json.dumps(listed(broken)) for broken in (False, True, False))
    answers = [json.loads(line) for line in run("compose", "--jsonl", stdin=lines).stdout.splitlines()]
    assert [answer["ok"] for answer in answers] == [True, False, True]


def test_plan_shows_the_fetches(tmp_path: Path, supergraph: Path) -> None:
    (tmp_path / "query.graphql").write_text(QUERY)
    shown = run("plan", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql")
    assert shown.returncode == 0
    assert "things" in shown.stdout
    as_json = run("plan", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql", "--format", "json")
    assert json.loads(as_json.stdout)["fetches"] == 2


def test_plan_explains_in_every_format(tmp_path: Path, supergraph: Path) -> None:
    (tmp_path / "query.graphql").write_text(QUERY)
    arguments = ("plan", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql")
    text = run(*arguments).stdout
    assert text.startswith("query: 2 fetches, 2 rounds\n")
    assert "forced by: Thing.units is resolved by stock only (not by things)" in text
    as_json = json.loads(run(*arguments, "--format", "json").stdout)
    assert set(as_json) == {"fetches", "depth", "plan", "explanation", "text"}
    assert as_json["explanation"]["fetches"][1]["forcedBy"][0]["kind"] == "owner"
    picture = run(*arguments, "--format", "mermaid").stdout
    assert picture.startswith("flowchart LR\n")
    assert 'fetch1["fetch 1: stock<br/>Thing.units"]' in picture


def test_plan_prints_the_code_of_a_hot_plan(tmp_path: Path, supergraph: Path) -> None:
    (tmp_path / "query.graphql").write_text(QUERY)
    shown = run("plan", "--code", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql")
    compile(shown.stdout, "generated", "exec")
    assert "def take_0(run, waiting, reply):" in shown.stdout
    (tmp_path / "query.graphql").write_text("{ __schema { description } }")
    refused = run("plan", "--code", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql")
    assert (refused.returncode, "always interpreted" in refused.stderr) == (1, True)


def test_plan_answers_every_line_in_its_place() -> None:
    lines = "\n".join(json.dumps({"supergraph": supergraph_sdl(), "query": query}) for query in (QUERY, "{"))
    answers = [json.loads(line) for line in run("plan", "--jsonl", stdin=lines).stdout.splitlines()]
    assert answers[0] == {"ok": True, "fetch_count": 2, "depth": 2}
    assert answers[1]["ok"] is False


def test_plan_refuses_a_document_that_does_not_fit(tmp_path: Path, supergraph: Path) -> None:
    (tmp_path / "query.graphql").write_text("{ nope }")
    done = run("plan", "--supergraph", supergraph, "--operation", tmp_path / "query.graphql")
    assert done.returncode == 1
    assert "nope" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serve",), "--supergraph"),
        (("serve", "--supergraph", "/no/such.graphql"), "/no/such.graphql"),
        (("serve", "--supergraph", "README.md"), "README.md"),
        (("serve", "--supergraph", "{supergraph}", "--subgraph", "nope=http://x"), "nope"),
        (("serve", "--supergraph", "{supergraph}", "--subgraph", "things"), "NAME=URL"),
        (("serve", "--supergraph", "{supergraph}", "--port", "70000"), "GALLERIA_PORT"),
        (("compose",), "--subgraphs"),
        (("compose", "--subgraphs", "/no/such.json"), "/no/such.json"),
        (("compose", "--subgraphs", "README.md"), "JSON"),
        (("plan",), "--operation"),
        (("token", "--key", "/no/such.jwk"), "/no/such.jwk"),
    ],
)
def test_what_is_wrongly_asked_is_told_in_one_line(arguments: tuple[str, ...], told: str, supergraph: Path) -> None:
    done = run(*(argument.format(supergraph=supergraph) for argument in arguments))
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("setting", ["GALLERIA_JWKS", "GALLERIA_DEV_ISSUER_KEY_FILE"])
def test_a_key_file_that_is_none_stops_the_start(supergraph: Path, setting: str) -> None:
    done = run("serve", "--supergraph", supergraph, "--development", **{setting: str(supergraph)})
    assert done.returncode == 2
    assert "supergraph.graphql is no" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_stops_the_start(supergraph: Path) -> None:
    done = run("serve", "--supergraph", supergraph, GALLERIA_LIMITS__DEPTH_MAX="deep")
    assert done.returncode == 2
    assert "GALLERIA_LIMITS__DEPTH_MAX" in done.stderr


def test_token_prints_a_token(tmp_path: Path) -> None:
    create_key_file(tmp_path / "key.jwk")
    done = run("token", "--key", tmp_path / "key.jwk", "--sub", "ann", "--scope", "a", "--scope", "b")
    assert done.returncode == 0
    assert done.stdout.count(".") == 2


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_serve_says_where_it_is_answers_and_stops_well(supergraph: Path, stop: signal.Signals) -> None:
    arguments = ("-m", "gateway", "serve", "--supergraph", str(supergraph), "--port", "0")
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.PIPE)
    assert child.stderr is not None
    try:
        async with asyncio.timeout(30):
            line = ""
            while "Gateway ready on" not in line:
                line = (await child.stderr.readline()).decode()
                assert line, "it ended before it was ready"
            assert "things" in line
            url = line.split("Gateway ready on ")[1].split(": ")[0]
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.post(url, json={"query": "query Kind { __typename }"})
            assert answer.json() == {"data": {"__typename": "Query"}}
            child.send_signal(stop)
            summary = (await child.stderr.read()).decode()
            assert await child.wait() == 0
        lines = [json.loads(text) for text in summary.splitlines() if '"event":"request"' in text]
        assert len(lines) == 1
        assert (lines[0]["status"], lines[0]["operation"], lines[0]["kind"]) == (200, "Kind", "query")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def test_contract_prints_the_views_schema(supergraph: Path) -> None:
    done = run(
        "contract", "--supergraph", supergraph, "--include", "partner", "--exclude", "staff", "--hide-unreachable"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "type Query {\n  thing(id: ID!): Thing\n}\n\ntype Thing {\n  name: String!\n  units: Int\n}\n"
    )


def test_contract_says_everything_that_makes_it_impossible(supergraph: Path) -> None:
    asked = ("contract", "--supergraph", supergraph, "--include", "keys,nobody")
    done = run(*asked)
    assert (done.returncode, done.stdout) == (1, "")
    assert "QUERY_ROOT_TYPE_INACCESSIBLE" in done.stderr
    assert "hint: nothing carries the tag 'nobody'." in done.stderr
    answer = json.loads(run(*asked, "--format", "json").stdout)
    assert answer["api"] is None
    assert answer["errors"][0]["coordinate"] == "Query"
    assert answer["unused_tags"] == ["nobody"]


def test_serve_refuses_to_start_with_an_impossible_contract(supergraph: Path) -> None:
    done = run(
        "serve", "--supergraph", supergraph, "--port", "0", GALLERIA_CONTRACTS='{"none": {"include": ["nobody"]}}'
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Contract 'none': \"Query\": is hidden")


def test_contract_refuses_what_is_no_tag(supergraph: Path) -> None:
    done = run("contract", "--supergraph", supergraph, "--exclude", "a b")
    assert done.returncode == 2
    assert "--exclude" in done.stderr
