"""``check`` as a pipeline calls it: two files, a directory, an exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.checks import check, registered
from gateway.composition import SubgraphSource, compose
from gateway.errors import PlanningFailed
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])\n'
CATALOG = 'type Query { product: Product } type Product @key(fields: "sku") { sku: ID! name: String @shareable }'
STOCK = 'type Product @key(fields: "sku") { sku: ID! onHand: Int name: String @shareable }'
ENTRY = f"{STOCK} type Query {{ low: [Product] }}"


def supergraph(folder: Path, name: str, **subgraphs: str) -> Path:
    result = compose([SubgraphSource(each, f"http://{each}", LINK + sdl) for each, sdl in subgraphs.items()])
    assert result.supergraph is not None, result.errors
    path = folder / name
    path.write_text(result.supergraph)
    return path


@pytest.fixture
def operations(tmp_path: Path) -> Path:
    folder = tmp_path / "operations"
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "page.graphql").write_text(
        "query Page { product { ...P } } fragment P on Product { name onHand }"
    )
    (folder / "two.graphql").write_text("query Name { product { name } } query Sku { product { sku } }")
    (folder / "stale.graphql").write_text("{ gone }")
    return folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_change_that_hits_a_registered_operation_is_refused(tmp_path: Path, operations: Path) -> None:
    old = supergraph(tmp_path, "old.graphql", catalog=CATALOG, stock=STOCK)
    new = supergraph(tmp_path, "new.graphql", catalog=CATALOG, stock=STOCK.replace("onHand: Int", "left: Int"))
    done = run(old, new, "--operations", operations)
    assert done.returncode == 1
    assert "Product.onHand: field removed" in done.stdout
    assert "hits web/page.graphql" in done.stdout
    assert "no longer valid" in done.stdout
    assert "stale.graphql: was not valid before, either" in done.stdout
    assert "1 broken" in done.stdout.splitlines()[-1]


def test_a_change_that_hits_nobody_passes_and_says_so(tmp_path: Path, operations: Path) -> None:
    old = supergraph(tmp_path, "old.graphql", catalog=CATALOG.replace("sku: ID!", "sku: ID! rare: Int"), stock=STOCK)
    new = supergraph(tmp_path, "new.graphql", catalog=CATALOG, stock=STOCK)
    assert run(old, new).returncode == 1, "to anybody it breaks"
    done = run(old, new, "--operations", operations, "--format", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["severity"] == "safe"
    (change,) = found["changes"]
    assert (change["coordinate"], change["severity"], change["operations"]) == ("Product.rare", "safe", [])


def test_the_plans_of_operations_are_compared(tmp_path: Path, operations: Path) -> None:
    old = supergraph(tmp_path, "old.graphql", catalog=CATALOG, stock=STOCK)
    new = supergraph(
        tmp_path,
        "new.graphql",
        catalog=CATALOG.replace("name: String @shareable", ""),
        stock=STOCK,
        extra="type Query { x: Int }",
    )
    done = run(old, new, "--operations", operations, "--fail-on-more-fetches")
    assert done.returncode == 1
    assert "two.graphql Name: 1 fetch in 1 round → 2 fetches in 2 rounds (+1 stock)" in done.stdout
    assert "two.graphql Sku" not in done.stdout
    assert "subgraphs added: extra" in done.stdout
    assert run(old, new, "--operations", operations).returncode == 0


def test_dangerous_changes_fail_when_that_is_asked(tmp_path: Path) -> None:
    enum = " enum Size { S M } extend type Query { size: Size }"
    old = supergraph(tmp_path, "old.graphql", catalog=CATALOG + enum, stock=STOCK)
    new = supergraph(tmp_path, "new.graphql", catalog=CATALOG + enum.replace("S M", "S M L"), stock=STOCK)
    assert run(old, new).returncode == 0
    assert run(old, new, "--fail-on", "dangerous").returncode == 1


def test_programs_see_both_severities_and_the_totals(tmp_path: Path, operations: Path) -> None:
    old = supergraph(tmp_path, "old.graphql", catalog=CATALOG.replace("sku: ID!", "sku: ID! rare: Int"), stock=STOCK)
    new = supergraph(tmp_path, "new.graphql", catalog=CATALOG.replace("name: String @shareable", ""), stock=STOCK)
    found = json.loads(run(old, new, "--operations", operations, "--format", "json").stdout)
    (change,) = found["changes"]
    assert (change["severity"], change["severityToAnybody"]) == ("safe", "breaking")
    assert found["weighed"] is True
    assert found["totals"] == {"fetches": {"before": 4, "after": 5}, "rounds": {"before": 4, "after": 5}}
    unweighed = json.loads(run(old, new, "--format", "json").stdout)
    assert unweighed["weighed"] is False
    assert unweighed["changes"][0]["severityToAnybody"] == "breaking"


@pytest.mark.parametrize(
    "text", ["query A { product { sku } } query A { low: product { sku } }", "{ product { sku } } { __typename }"]
)
def test_no_operation_of_a_file_goes_unchecked(tmp_path: Path, text: str) -> None:
    good = supergraph(tmp_path, "good.graphql", catalog=CATALOG, stock=STOCK)
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "twice.graphql").write_text(text)
    done = run(good, good, "--operations", tmp_path / "operations")
    assert done.returncode == 2
    assert "twice.graphql" in done.stderr


def test_what_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.graphql").write_text("query A { a } query B { b }")
    (tmp_path / "b.graphql").write_text("{ c }")
    for limit in ("FILES_MAX", "FILE_BYTES_MAX", "FILE_TOKENS_MAX", "OPERATIONS_MAX"):
        with monkeypatch.context() as patch:
            patch.setattr(f"gateway.checks.operations.{limit}", 1)
            with pytest.raises(ValueError, match=r"more than 1 |1 tokens"):
                registered(tmp_path)
    assert len(registered(tmp_path)) == 3


def test_an_operation_that_had_no_plan_before_is_not_blamed_on_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Supergraph.parse(supergraph(tmp_path, "good.graphql", catalog=CATALOG, stock=STOCK).read_text())
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "page.graphql").write_text("{ product { sku } }")
    known = registered(tmp_path / "operations")

    def dead_end(*_: object) -> None:
        raise PlanningFailed("No plan for this operation.")

    monkeypatch.setattr(Planner, "plan", dead_end)
    found = check(graph, graph, known)
    assert found.operations[0].invalid_before == ("No plan for this operation.",)
    assert found.severity.value == "safe"


@pytest.mark.parametrize("what", ["no file", "no supergraph", "no directory", "no operations", "a broken operation"])
def test_what_is_wrongly_asked_is_said(tmp_path: Path, what: str) -> None:
    good = supergraph(tmp_path, "good.graphql", catalog=CATALOG, stock=STOCK)
    (tmp_path / "bad.graphql").write_text("type Query { a: Int }")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "half.graphql").write_text("{ a ")
    done = {
        "no file": lambda: run(good, tmp_path / "nope.graphql"),
        "no supergraph": lambda: run(good, tmp_path / "bad.graphql"),
        "no directory": lambda: run(good, good, "--operations", tmp_path / "nope"),
        "no operations": lambda: run(good, good, "--operations", tmp_path / "empty"),
        "a broken operation": lambda: run(good, good, "--operations", tmp_path / "broken"),
    }[what]()
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
