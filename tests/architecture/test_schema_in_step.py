"""schema/ holds what the code prints and composes: the command to run is in the failure message."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema"
COMMAND = "schema/ is out of step with the code; run: make schema"


def run(*argv: str, stdin: str | None = None) -> str:
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, input=stdin, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_the_subgraph_files_are_what_the_services_print_and_compose_to_the_supergraph(tmp_path: Path) -> None:
    printed = json.loads(run("-m", "subgraphs", "print", "--all", "--format", "json"))
    assert {one["name"] for one in printed} == {"catalog", "inventory", "orders", "customers", "loyalty"}
    for one in printed:
        assert (SCHEMA / "subgraphs" / f"{one['name']}.graphql").read_text() == one["sdl"], COMMAND
    given = tmp_path / "subgraphs.json"
    given.write_text(json.dumps(printed))
    composed = json.loads(run("-m", "gateway", "compose", "--subgraphs", str(given), "--format", "json"))
    assert composed["errors"] == []
    assert (SCHEMA / "supergraph.graphql").read_text() == composed["supergraph"], COMMAND
    assert (SCHEMA / "api.graphql").read_text() == composed["api"], COMMAND


def test_every_named_operation_fits_the_graph() -> None:
    from graphql import build_schema, parse, validate

    api = build_schema((SCHEMA / "api.graphql").read_text())
    for file in sorted((SCHEMA / "operations").rglob("*.graphql")):
        assert [error.message for error in validate(api, parse(file.read_text()))] == [], file.name


def test_every_example_of_variables_fits_its_operation() -> None:
    from graphql import OperationDefinitionNode, build_schema, parse
    from graphql.execution.values import get_variable_values

    api = build_schema((SCHEMA / "api.graphql").read_text())
    examples = sorted((SCHEMA / "operations").rglob("*.variables.json"))
    assert examples
    for file in examples:
        document = parse(file.with_name(file.name.replace(".variables.json", ".graphql")).read_text())
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        found = get_variable_values(api, operation.variable_definitions or (), json.loads(file.read_text()))
        assert not isinstance(found, list), f"{file.name}: {found}"


def test_no_subgraph_but_inventory_holds_a_number_of_things_on_hand() -> None:
    for file in sorted((SCHEMA / "subgraphs").glob("*.graphql")):
        if file.stem != "inventory":
            assert "onHand" not in file.read_text(), f"{file.name} repeats inventory's number"
