"""Reading the cases and counting agreement. No thresholds here: those are the test's."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import GraphQLError, build_schema, lexicographic_sort_schema, print_schema

from gateway.composition.report import compose_jsonl_line
from gateway.planning.report import plan_jsonl_line


@dataclass(slots=True)
class Tally:
    """How often ours and the known answer agree, and where not."""

    file: str
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def share(self, what: str) -> float:
        return self.counts[what] / max(1, self.counts["cases"])

    def __str__(self) -> str:
        return f"{self.file}: {', '.join(f'{name} {count}' for name, count in self.counts.items())}"


def files(folder: Path, kind: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"{kind}-*") if path.name.endswith((".json", ".json.gz")))


def composition(path: Path) -> Tally:
    """``outcome`` and ``codes`` (the same set, or none) and ``api`` (the same client schema) out of ``cases``.

    A client schema that the composers in the field disagree about (``disputed``) is listed where ours differs, not counted.
    """
    tally = Tally(path.name)
    for case in _read(path):
        expected = case["expect"]
        if expected.get("oracle_threw"):
            continue
        ours = json.loads(compose_jsonl_line(json.dumps({"subgraphs": case["subgraphs"]})))
        codes = sorted({each["code"] for each in ours.get("errors", ())})
        known = expected.get("codes", [])
        same_api = not (expected["ok"] and ours["ok"]) or _alike(expected["api_schema_sdl"], ours["api_schema_sdl"])
        tally.counts["cases"] += 1
        tally.counts["outcome"] += ours["ok"] is expected["ok"]
        tally.counts["codes"] += codes == known
        tally.counts["api"] += same_api or case.get("disputed", False)
        if codes != known or not same_api:
            tally.differences.append(f"{case['name']}: {known or 'composes'}, ours {codes or 'composes'}")
    return tally


def planning(path: Path) -> Tally:
    """``fetches`` and ``rounds`` that are no more than the known ones, out of ``cases``."""
    tally = Tally(path.name)
    known = _read(path)
    for case in known["cases"]:
        asked = {
            "supergraph": known["schemas"][case["schema"]]["supergraph"],
            "query": case["query"],
            "operationName": case.get("operationName"),
        }
        ours = json.loads(plan_jsonl_line(json.dumps(asked)))
        tally.counts["cases"] += 1
        fetches = ours["ok"] and ours["fetch_count"] <= case["fetch_count"]
        rounds = ours["ok"] and ours["depth"] <= case["depth"]
        tally.counts["fetches"] += fetches
        tally.counts["rounds"] += rounds
        if not (fetches and rounds):
            tally.differences.append(f"{case['name']}: {case['fetch_count']} in {case['depth']} rounds, ours {ours}")
    return tally


def tallies(folder: Path) -> Iterator[Tally]:
    for path in files(folder, "composition"):
        yield composition(path)
    for path in files(folder, "plans"):
        yield planning(path)


def _read(path: Path) -> Any:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)


def _alike(one: str | None, other: str) -> bool:
    try:
        return one is None or _sorted(one) == _sorted(other)
    except (GraphQLError, TypeError):
        return False


def _sorted(sdl: str) -> str:
    return print_schema(lexicographic_sort_schema(build_schema(sdl, assume_valid=True, assume_valid_sdl=True)))
