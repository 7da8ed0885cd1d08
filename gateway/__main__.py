"""The command line: ``serve``, ``compose``, ``contract``, ``plan``, ``check``, ``token``, ``up``, ``demo``. Wiring, no work.

The environment is read here and nowhere else in the gateway. Exit status: 0 done, 1 the answer is no (does not compose,
cannot be planned), 2 wrongly asked (a setting, a file).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.config import Settings, SettingsInvalid, load

if TYPE_CHECKING:
    from gateway.operation import Operation
    from gateway.pipeline.snapshot import Snapshot
    from gateway.supergraph import Supergraph

app = typer.Typer(
    name="galleria",
    help="A GraphQL federation gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


def main() -> None:
    app()


@app.command()
def serve(
    supergraph: Annotated[Path | None, typer.Option(help="The supergraph SDL (join spec).", metavar="FILE")] = None,
    port: Annotated[int | None, typer.Option(help="0 lets the system choose.")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    subgraph: Annotated[
        list[str] | None, typer.Option(help="A subgraph's address, instead of the supergraph's.", metavar="NAME=URL")
    ] = None,
    operations: Annotated[
        Path | None, typer.Option(help="A directory of named operations: the console's menu and the agents' tools.")
    ] = None,
    development: Annotated[
        bool | None, typer.Option("--development/--production", help="Show subgraphs' errors, plans; issue tokens.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
) -> None:
    """Serve a supergraph until SIGTERM or Ctrl-C."""
    try:
        settings = load(
            supergraph=supergraph,
            port=port,
            host=host,
            development=development,
            operations=operations,
            subgraph_urls=_addresses(subgraph) if subgraph else None,
        )
    except SettingsInvalid as wrong:
        _refuse(str(wrong))
    if settings.supergraph is None:
        _refuse("Name the supergraph to serve: --supergraph FILE or GALLERIA_SUPERGRAPH.")
    with _workers_metrics() if workers > 1 else nullcontext():
        # Imported here so that `compose` and `plan` start without the web stack.
        from gateway.serving.files import StartRefused
        from gateway.serving.server import run

        try:
            run(settings, extend=_agents, workers=workers)
        except StartRefused as refused:
            _refuse(str(refused))


@app.command()
def compose(
    subgraphs: Annotated[
        Path | None,
        typer.Option(help='{"subgraphs": [{"name", "url", "sdl" or "file"}]}', metavar="FILE"),
    ] = None,
    format: Annotated[Format, typer.Option(help="The whole result as JSON, or the SDL.")] = Format.TEXT,
    write: Annotated[
        Path | None, typer.Option(help="Write supergraph.graphql and api.graphql into this directory.", metavar="DIR")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Compose every line of standard input.")] = False,
) -> None:
    """Compose subgraph SDLs into a supergraph, or say everything that is wrong with them."""
    from gateway.composition.report import compose_json, compose_jsonl_line

    if jsonl:
        _each_line(compose_jsonl_line)
        return
    if subgraphs is None:
        _refuse("Name the subgraphs to compose: --subgraphs FILE, or --jsonl.")
    result = compose_json(_read_subgraphs(subgraphs))
    failed = bool(result["errors"])
    if format is Format.JSON:
        _print_json(result)
    else:
        for finding in result["errors"]:
            typer.echo(f"{finding['code']}: {finding['message']}", err=True)
        for hint in result["hints"]:
            typer.echo(f"hint {hint['code']}: {hint['message']}", err=True)
        if not failed and write is None:
            typer.echo(result["supergraph"], nl=False)
    if not failed and write is not None:
        write.mkdir(parents=True, exist_ok=True)
        (write / "supergraph.graphql").write_text(result["supergraph"])
        (write / "api.graphql").write_text(result["api"])
        typer.echo(f"Wrote {write / 'supergraph.graphql'} and {write / 'api.graphql'}.", err=True)
    raise typer.Exit(1 if failed else 0)


@app.command()
def plan(
    supergraph: Annotated[Path | None, typer.Option(help="The supergraph SDL (join spec).", metavar="FILE")] = None,
    operation: Annotated[Path | None, typer.Option(help="A GraphQL document.", metavar="FILE")] = None,
    name: Annotated[str | None, typer.Option(help="The operation, when the document has several.")] = None,
    format: Annotated[PlanFormat, typer.Option(help="For people, for programs, or a picture.")] = PlanFormat.TEXT,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Plan every line of standard input; sizes only.")] = False,
    code: Annotated[
        bool, typer.Option("--code", help="The Python the plan becomes once it is hot; conditions count as true.")
    ] = False,
) -> None:
    """Show the query plan of an operation, and explain it: why each fetch, what else, and what would remove it."""
    if jsonl:
        from gateway.planning.report import plan_jsonl_line

        _each_line(plan_jsonl_line)
        return
    if supergraph is None or operation is None:
        _refuse("Name both --supergraph FILE and --operation FILE, or use --jsonl.")
    from gateway.config import Limits
    from gateway.errors import DocumentInvalid, GatewayError, SupergraphInvalid
    from gateway.incremental import with_directives
    from gateway.operation import normalise
    from gateway.pipeline.documents import read
    from gateway.plan import render_text
    from gateway.planning.explain import explain
    from gateway.planning.explanation import render_explained_json, render_explained_text, render_mermaid
    from gateway.planning.planner import Planner
    from gateway.supergraph import Supergraph

    try:
        graph = Supergraph.parse(_read(supergraph))
    except SupergraphInvalid as wrong:
        _refuse(f"{supergraph}: {wrong}")
    try:
        schema, limits = with_directives(graph.api_schema), Limits()
        document = read(_read(operation), schema, limits)
        if code:
            typer.echo(_code(graph, normalise(document.tree, name, schema)), nl=False)
            return
        found = explain(Planner(graph), normalise(document.tree, name, schema, deferred_max=limits.deferred_max))
    except DocumentInvalid as invalid:
        for error in invalid.errors:
            typer.echo(error["message"], err=True)
        raise typer.Exit(1) from None
    except GatewayError as wrong:
        typer.echo(wrong.message, err=True)
        raise typer.Exit(1) from None
    match format:
        case PlanFormat.JSON:
            _print_json({**render_explained_json(found), "text": render_text(found.plan)})
        case PlanFormat.MERMAID:
            typer.echo(render_mermaid(found), nl=False)
        case PlanFormat.TEXT:
            typer.echo(render_explained_text(found), nl=False)


def _code(graph: Supergraph, operation: Operation) -> str:
    from gateway.execution.compiled import Heat, Programs, Unsuited
    from gateway.execution.projection import Projection
    from gateway.planning.planner import Planner

    projection = Projection(operation, graph.api_schema)
    heat = Heat(Planner(graph).plan(operation), projection, operation.name or "without a name")
    try:
        return Programs(graph, after=1).make(heat, dict.fromkeys(projection.conditions, True)).text
    except Unsuited as reason:
        typer.echo(f"This plan is always interpreted: {reason}.", err=True)
        raise typer.Exit(1) from None


class FailOn(StrEnum):
    BREAKING = "breaking"
    DANGEROUS = "dangerous"


@app.command()
def check(
    old: Annotated[Path, typer.Argument(help="The supergraph SDL that is served now.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="The one that is to take its place.", metavar="NEW")],
    operations: Annotated[
        Path | None, typer.Option(help="The registered operations: .graphql files, at any depth.", metavar="DIR")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option(help="From which severity on the answer is no.")] = FailOn.BREAKING,
    fail_on_more_fetches: Annotated[
        bool, typer.Option("--fail-on-more-fetches", help="The answer is no when a plan becomes longer, too.")
    ] = False,
    format: Annotated[Format, typer.Option(help="For people or for programs.")] = Format.TEXT,
) -> None:
    """Say what a change of the graph breaks, for the registered operations or for anybody, and what plans become."""
    from gateway.checks import check as compare
    from gateway.checks import registered
    from gateway.checks.report import render_json, render_text
    from gateway.errors import SupergraphInvalid
    from gateway.supergraph import Supergraph

    graphs: list[Supergraph] = []
    for file in (old, new):
        try:
            graphs.append(Supergraph.parse(_read(file)))
        except SupergraphInvalid as wrong:
            _refuse(f"{file}: {wrong}")
    if operations is not None and not operations.is_dir():
        _refuse(f"{operations} is not a directory.")
    try:
        known = registered(operations) if operations is not None else None
    except ValueError as wrong:
        _refuse(str(wrong))
    if known == []:
        _refuse(f"{operations} has no .graphql files: leave --operations out to think of every client.")
    found = compare(graphs[0], graphs[1], known)
    if format is Format.JSON:
        _print_json(render_json(found))
    else:
        typer.echo(render_text(found), nl=False)
    failing = {FailOn.BREAKING: {"breaking"}, FailOn.DANGEROUS: {"breaking", "dangerous"}}[fail_on]
    failed = found.severity.value in failing or (fail_on_more_fetches and bool(found.more_fetches))
    raise typer.Exit(1 if failed else 0)


@app.command()
def contract(
    supergraph: Annotated[Path, typer.Option(help="The supergraph SDL (join spec).", metavar="FILE")],
    include: Annotated[str, typer.Option(help="With any, fields need one of these tags.", metavar="TAG,…")] = "",
    exclude: Annotated[str, typer.Option(help="What carries one of these tags is hidden.", metavar="TAG,…")] = "",
    hide_unreachable: Annotated[
        bool, typer.Option("--hide-unreachable", help="Hide also the types that nothing visible leads to.")
    ] = False,
    format: Annotated[Format, typer.Option(help="For people or for programs.")] = Format.TEXT,
) -> None:
    """Print the API schema of a view of the supergraph by @tag, or say everything that makes it impossible."""
    from graphql import print_schema

    from gateway.contracts import contract_schema, tags_of
    from gateway.errors import ContractInvalid, SupergraphInvalid
    from gateway.supergraph import Supergraph

    included, excluded = _tags("include", include), _tags("exclude", exclude)
    try:
        whole = Supergraph.parse(_read(supergraph))
    except SupergraphInvalid as wrong:
        _refuse(f"{supergraph}: {wrong}")
    unused = sorted((included | excluded) - tags_of(whole))
    errors: list[dict[str, Any]] = []
    api: str | None = None
    try:
        api = print_schema(contract_schema(whole, included, excluded, hide_unreachable).api_schema) + "\n"
    except ContractInvalid as invalid:
        errors = [
            {"code": each.published_code, "message": each.message, "coordinate": each.coordinate}
            for each in invalid.errors
        ]
    if format is Format.JSON:
        _print_json({"api": api, "errors": errors, "unused_tags": unused})
    else:
        for error in errors:
            typer.echo(f"{error['code']}: {error['message']}", err=True)
        for tag in unused:
            typer.echo(f"hint: nothing carries the tag {tag!r}.", err=True)
        if api is not None:
            typer.echo(api, nl=False)
    raise typer.Exit(1 if errors else 0)


@app.command()
def token(
    key: Annotated[Path, typer.Option(help="The development issuer's key file.", metavar="FILE")] = Path(
        ".data/dev-issuer.jwk"
    ),
    sub: Annotated[str, typer.Option(help="Whom the token is for.")] = "developer",
    scope: Annotated[list[str] | None, typer.Option(help="A scope; may be repeated.")] = None,
    kind: Annotated[str, typer.Option(help="customer, staff or agent.")] = "customer",
    customer_id: Annotated[str | None, typer.Option(help="The customer the subject is.")] = None,
    agent_id: Annotated[str | None, typer.Option(help="The agent that acts.")] = None,
    contract: Annotated[str | None, typer.Option(help="The contract the token is bound to.")] = None,
) -> None:
    """Print a development token, signed with the key file of a running house."""
    from gateway.pipeline.issuer import KINDS, Claims, DevelopmentIssuer

    if kind not in KINDS:
        _refuse(f"--kind is one of {', '.join(KINDS)}.")
    if not key.is_file():
        _refuse(f"{key} does not exist. `make up` makes it.")
    settings = _settings()
    issuer = DevelopmentIssuer(
        key, token_s=settings.dev_token_s, audience=settings.jwt_audience, issuer=settings.jwt_issuer
    )
    claims = Claims(
        sub=sub, scopes=tuple(scope or ()), kind=kind, customer_id=customer_id, agent_id=agent_id, contract=contract
    )
    typer.echo(issuer.issue(claims))


DataOption = Annotated[Path, typer.Option("--data", help="Where the local house keeps its data.", metavar="DIR")]
SchemaOption = Annotated[Path, typer.Option("--schema", help="The directory of the supergraph.", metavar="DIR")]
MongoOption = Annotated[
    str | None, typer.Option("--mongodb-uri", envvar="MONGODB_URI", help="Use this database, not the embedded server.")
]
DriverOption = Annotated[str, typer.Option(envvar="GALLERIA_MONGODB_DRIVER", help="motor or pymongo.")]


@app.command()
def up(
    port: Annotated[int, typer.Option(help="The gateway's port; the subgraphs take the five after it.")] = 4000,
    scale: Annotated[str, typer.Option(help="How much to seed: tiny or small.")] = "small",
    data: DataOption = Path(".data"),
    schema: SchemaOption = Path("schema"),
    mongodb_uri: MongoOption = None,
    mongodb_driver: DriverOption = "motor",
) -> None:
    """Start the whole house: database, five subgraphs, gateway, seeded."""
    from gateway.local import up as local

    raise typer.Exit(local.main(_house(port, scale, data, schema, mongodb_uri, mongodb_driver)))


@app.command()
def demo(
    data: DataOption = Path(".data"),
    schema: SchemaOption = Path("schema"),
    mongodb_uri: MongoOption = None,
    mongodb_driver: DriverOption = "motor",
) -> None:
    """Tour the house without a person; the exit status says whether everything held."""
    from gateway.local import demo as local

    raise typer.Exit(local.main(_house(4000, "tiny", data, schema, mongodb_uri, mongodb_driver), schema=schema))


@contextmanager
def _workers_metrics() -> Iterator[None]:
    """Where the workers keep what they count, for whichever of them is asked. Read by the library when it is imported."""
    with TemporaryDirectory(prefix="galleria-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        yield


def _agents(pipeline: Any, operations: Path | None) -> Any:
    """The agents' endpoint, when there are operations for them and the extra ``agents`` is installed."""
    from gateway.serving.files import StartRefused
    from gateway.serving.server import Extension

    directory = operations / "agents" if operations is not None else None
    if directory is None or not directory.is_dir() or importlib.util.find_spec("mcp") is None:
        return None
    from gateway.agents.tools import ToolInvalid, Toolsets, load_toolsets
    from gateway.serving.late import Late

    toolsets: Toolsets = {}

    def accept(snapshot: Snapshot) -> None:
        nonlocal toolsets
        schemas = {contract: view.schema for contract, view in snapshot.views.items()}
        try:
            toolsets = load_toolsets(directory, schemas, pipeline.settings.agents_contract)
        except ToolInvalid as wrong:
            raise StartRefused(f"{directory}: {wrong}") from None

    accept(pipeline.snapshot)

    def load_endpoint() -> Any:
        # The SDK takes as long to import as all else of the gateway: the first agent waits for it, and nobody else.
        from gateway.agents.mcp import mcp_endpoint

        return partial(
            mcp_endpoint, lambda: toolsets, pipeline, version=version("galleria"), host=pipeline.settings.host
        )

    # Without sessions there is nothing to listen for (GET) or to end (DELETE): the protocol answers those with 405.
    late = Late("/mcp", ["POST"], load_endpoint)
    return Extension((late.route,), late.lifespan(), accept)


def _house(port: int, scale: str, data: Path, schema: Path, mongodb_uri: str | None, mongodb_driver: str) -> Any:
    from gateway.local.house import DEFAULT_PORTS, HouseSettings

    first = DEFAULT_PORTS["gateway"]
    return HouseSettings(
        data_directory=data,
        supergraph=schema / "supergraph.graphql",
        ports={name: port + (standard - first) for name, standard in DEFAULT_PORTS.items()},
        mongodb_uri=mongodb_uri or None,
        mongodb_driver=mongodb_driver,
        scale=scale,
    )


def _settings() -> Settings:
    try:
        return load()
    except SettingsInvalid as wrong:
        _refuse(str(wrong))


def _tags(option: str, listed: str) -> frozenset[str]:
    from pydantic import ValidationError

    from gateway.config import Contract

    try:
        return Contract(include=frozenset(tag.strip() for tag in listed.split(",") if tag.strip())).include
    except ValidationError as wrong:
        _refuse(f"--{option}: {wrong.errors(include_url=False)[0]['msg']}.")


def _addresses(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, url = pair.partition("=")
        if not separator or not name or not url.startswith(("http://", "https://")):
            _refuse(f"--subgraph takes NAME=URL with an http(s) URL, not {pair!r}.")
        found[name] = url
    return found


def _read_subgraphs(file: Path) -> dict[str, Any]:
    """The list of subgraphs; an entry's ``file`` is read relative to the list."""
    from gateway.errors import RequestMalformed
    from gateway.exchange import decode

    try:
        listed = decode(_read(file))
        entries = listed["subgraphs"] if isinstance(listed, dict) else listed
        subgraphs = [
            {**entry, "sdl": entry["sdl"] if "sdl" in entry else _read(file.parent / entry["file"])}
            for entry in entries
        ]
    except RequestMalformed:
        _refuse(f"{file} is not JSON.")
    except (KeyError, TypeError):
        _refuse(f'{file} must hold {{"subgraphs": [{{"name", "url", "sdl" or "file"}}]}}.')
    return {"subgraphs": subgraphs}


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as failure:
        _refuse(f"{file} cannot be read: {getattr(failure, 'strerror', None) or failure}.")


def _each_line(answer: Any) -> None:
    for line in sys.stdin:
        if line.strip():
            print(answer(line), flush=True)


def _print_json(value: Any) -> None:
    from gateway.exchange import encode

    print(encode(value).decode())


def _refuse(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
