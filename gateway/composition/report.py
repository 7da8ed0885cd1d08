"""Composition's result in the forms the command line prints. No files, no streams: text and dictionaries in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.composition.compose import compose
from gateway.composition.result import CompositionResult, SubgraphSource


def compose_json(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Compose ``{"subgraphs": [{"name", "sdl", "url"?}]}`` into ``{"supergraph", "api", "errors", "hints"}``."""
    result = compose(_sources(payload))
    return {
        "supergraph": result.supergraph,
        "api": result.api,
        "errors": _errors(result),
        "hints": [{"code": hint.code, "message": hint.message} for hint in result.hints],
    }


def compose_jsonl_line(line: str) -> str:
    """One line of ``compose --jsonl``: the same payload in, the outcome on one line out."""
    result = compose(_sources(json.loads(line)))
    if not result.ok:
        return json.dumps({"ok": False, "errors": _errors(result)})
    hints = [{"code": hint.code, "message": hint.message} for hint in result.hints]
    return json.dumps({"ok": True, "supergraph": result.supergraph, "api_schema_sdl": result.api, "hints": hints})


def _sources(payload: Mapping[str, Any]) -> list[SubgraphSource]:
    return [
        SubgraphSource(entry["name"], entry.get("url") or f"http://{entry['name']}", entry["sdl"])
        for entry in payload["subgraphs"]
    ]


def _errors(result: CompositionResult) -> list[dict[str, str]]:
    return [{"code": error.published_code, "message": error.message} for error in result.errors]
