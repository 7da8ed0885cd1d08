"""An explained plan: data, and its text, JSON and Mermaid forms. How it is found out is in ``explain``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gateway.plan import Fetch, QueryPlan, render_json, render_text

SHOWN_MAX: Final = 4
"""Fields named in one line of text; JSON has them all."""

_ESCAPED: Final = str.maketrans({each: f"#{ord(each)};" for each in '"#<>[]{}()|`&\\'})


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a plan is."""

    fetches: int
    rounds: int

    def text(self) -> str:
        return f"{_count(self.fetches, 'fetch', 'fetches')}, {_count(self.rounds, 'round')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A client's field that a fetch answers."""

    coordinate: str
    paths: tuple[str, ...]
    """Where the client sees it: response keys with dots between, list positions left out."""
    resolvers: tuple[str, ...]
    """Every subgraph that resolves the field, wherever it can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """A field that a fetch answers for a later fetch."""

    coordinate: str
    consumer: int
    """The later fetch."""
    purpose: str
    """``key``, ``requires`` or ``context``."""
    of: str
    """The key, or the fields whose requirement or argument it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What forced a hop."""

    kind: str
    """``owner``, ``key``, or a directive: ``requires``, ``external``, ``override``, ``resolvable``,
    ``interfaceObject``, ``fromContext``; ``mutation`` for their order."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another subgraph that could have answered, and the best plan in which it does."""

    subgraph: str
    coordinates: tuple[str, ...]
    size: Size | None
    """None: not computed, the budget was spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A change of the schema after which the plan was measured to be smaller."""

    change: str
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchExplanation:
    """Why one fetch of the plan is there."""

    id: int
    subgraph: str
    answers: tuple[Answer, ...]
    gathers: tuple[Gathering, ...]
    forced: tuple[Reason, ...]
    alternatives: tuple[Alternative, ...]
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A plan and its reasons."""

    plan: QueryPlan
    size: Size
    plans_considered: int
    budget: str = ""
    """The budget that ended the search; empty when it ended by itself."""
    unmeasured: int = 0
    """Changes of the schema that could not be measured within the budget of the explanation."""
    fetches: tuple[FetchExplanation, ...] = ()


def render_explained_json(explanation: Explanation) -> dict[str, Any]:
    """The plan's own JSON form, with ``explanation`` beside it."""
    return {
        **render_json(explanation.plan),
        "explanation": {
            "cost": _size_json(explanation.size),
            "plansConsidered": explanation.plans_considered,
            "truncated": explanation.plan.truncated,
            "budget": explanation.budget or None,
            "changesNotMeasured": explanation.unmeasured,
            "fetches": [_fetch_json(fetch) for fetch in explanation.fetches],
        },
    }


def _fetch_json(fetch: FetchExplanation) -> dict[str, Any]:
    return {
        "id": fetch.id,
        "subgraph": fetch.subgraph,
        "answers": [
            {"coordinate": each.coordinate, "paths": list(each.paths), "resolvers": list(each.resolvers)}
            for each in fetch.answers
        ],
        "gathers": [
            {"coordinate": each.coordinate, "for": each.consumer, "purpose": each.purpose, "of": each.of}
            for each in fetch.gathers
        ],
        "forcedBy": [{"kind": each.kind, "text": each.text} for each in fetch.forced],
        "alternatives": [
            {
                "subgraph": each.subgraph,
                "coordinates": list(each.coordinates),
                "cost": _size_json(each.size) if each.size else None,
            }
            for each in fetch.alternatives
        ],
        "removedBy": [{"change": each.change, "cost": _size_json(each.size)} for each in fetch.remedies],
    }


def _size_json(size: Size) -> dict[str, int]:
    return {"fetches": size.fetches, "rounds": size.rounds}


def render_explained_text(explanation: Explanation) -> str:
    """The plan's own text, then why each fetch is there."""
    considered = _count(explanation.plans_considered, "plan")
    lines = [f"explanation: {considered} considered, the cheapest has {explanation.size.text()}"]
    if explanation.budget:
        lines.append(f"  truncated: the search stopped at its budget of {explanation.budget}; a better plan may exist")
    if explanation.unmeasured:
        lines.append(f"  not computed: {_count(explanation.unmeasured, 'further change')} of the schema, over budget")
    for fetch in explanation.fetches:
        lines += ["", f"  [{fetch.id}] {fetch.subgraph}", *_fetch_lines(fetch, explanation.size)]
    return render_text(explanation.plan) + "\n" + "\n".join(lines) + "\n"


def _fetch_lines(fetch: FetchExplanation, size: Size) -> list[str]:
    lines: list[str] = []
    answers: dict[tuple[str, ...], list[str]] = {}
    for answer in fetch.answers:
        answers.setdefault(answer.resolvers, []).append(f"{answer.coordinate} at {' and '.join(answer.paths)}")
    for resolvers, texts in answers.items():
        others = [each for each in resolvers if each != fetch.subgraph]
        among = f"{fetch.subgraph} resolves, as {listed(others)} would" if others else f"only {fetch.subgraph} resolves"
        lines.append(f"      answers what {among}: {_some(texts)}")
    gathers: dict[tuple[int, str, str], list[str]] = {}
    for each in fetch.gathers:
        gathers.setdefault((each.consumer, each.purpose, each.of), []).append(each.coordinate)
    consumers: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (consumer, purpose, of), coordinates in gathers.items():
        consumers.setdefault((purpose, of, tuple(coordinates)), []).append(f"[{consumer}]")
    for (purpose, of, names), numbers in consumers.items():
        what = {"key": f"key {of}", "requires": f"`@requires` of {of}", "context": f"`@fromContext` of {of}"}[purpose]
        lines.append(f"      gathers for {listed(numbers)} ({what}): {_some(names)}")
    lines += [f"      forced by: {reason.text}" for reason in fetch.forced]
    for other in fetch.alternatives:
        cost = _compared(other.size, size) if other.size else "not computed"
        lines.append(f"      alternative: {_some(other.coordinates)} from {other.subgraph}: {cost}")
    lines += [f"      removed by: {each.change} → {_compared(each.size, size)}" for each in fetch.remedies]
    return lines


def _compared(size: Size, with_: Size) -> str:
    changes = []
    for now, before, one, many in (
        (size.fetches, with_.fetches, "fetch", "fetches"),
        (size.rounds, with_.rounds, "round", "rounds"),
    ):
        if now != before:
            changes.append(f"{_count(abs(now - before), one, many)} {'more' if now > before else 'fewer'}")
    return f"{size.text()} ({', '.join(changes) or 'the same'})"


def render_mermaid(explanation: Explanation) -> str:
    """A flowchart: a box a round, a node a fetch, an edge a wait with what is passed on."""
    plan = explanation.plan
    named = {fetch.id: fetch for fetch in explanation.fetches}
    upstream = [plan.subscription] if plan.subscription else []
    rounds: dict[int, int] = {}
    for fetch in plan.fetches:
        rounds[fetch.id] = 1 + max((rounds[each] for each in fetch.depends_on), default=0)
    lines = ["flowchart LR", f'  client(["{plan.kind.value}"])']
    lines += [f"  {_node(named[fetch.id])}" for fetch in upstream]
    for number in sorted(set(rounds.values())):
        lines.append(f'  subgraph round{number}["round {number}"]')
        lines += [f"    {_node(named[each.id])}" for each in plan.fetches if rounds[each.id] == number]
        lines.append("  end")
    lines += [f"  client --> fetch{fetch.id}" for fetch in upstream]
    lines += [line for fetch in plan.fetches for line in _edges(explanation, fetch, upstream)]
    return "\n".join(lines) + "\n"


def _edges(explanation: Explanation, fetch: Fetch, upstream: list[Fetch]) -> list[str]:
    """From what it waits for, and from what passes something on (which may be waited for only through others)."""
    passed = {
        earlier.id: [gathered.coordinate for gathered in earlier.gathers if gathered.consumer == fetch.id]
        for earlier in explanation.fetches
    }
    begins = [each.id for each in upstream if not fetch.depends_on]
    waits = sorted({*fetch.depends_on, *begins, *(each for each, names in passed.items() if names)})
    if not waits:
        return [f"  client --> fetch{fetch.id}"]
    edges = []
    for each in waits:
        label = f'-- "{_label(_some(tuple(dict.fromkeys(passed[each]))))}" -->' if passed[each] else "-->"
        edges.append(f"  fetch{each} {label} fetch{fetch.id}")
    return edges


def _node(fetch: FetchExplanation) -> str:
    names = tuple(answer.coordinate for answer in fetch.answers)
    kept = names or tuple(dict.fromkeys(each.coordinate for each in fetch.gathers))
    summary = f"<br/>{_label(_some(kept))}" if kept else ""
    return f'fetch{fetch.id}["fetch {fetch.id}: {_label(fetch.subgraph)}{summary}"]'


def _label(text: str) -> str:
    """Text inside a Mermaid string: what could end it or be markup goes as an entity."""
    return text.translate(_ESCAPED)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(texts: Iterable[str]) -> str:
    every = list(texts)
    more = [f"{len(every) - SHOWN_MAX} more"] if len(every) > SHOWN_MAX else []
    return ", ".join([*every[:SHOWN_MAX], *more])


def listed(texts: Iterable[str], word: str = "and") -> str:
    """``a, b and c``."""
    *first, last = texts
    return f"{', '.join(first)} {word} {last}" if first else last
