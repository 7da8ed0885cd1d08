"""A layout as Python text: classes for the objects, functions that gather, take and shape.

Theory of operation
-------------------
Every place is a class whose attributes are the client's fields in the client's order, so that decoding an answer checks
it against the client's types and encoding the tree *is* the projection. What a later fetch brings is unset until it comes.

- ``objects_N`` finds the objects of a place once. Objects that hold nothing but leaves of their base, and the same ones,
  become one object: their parents then share it, and later fetches fill it once.
- ``gather_N`` makes the representations of a fetch, equal ones once, in the interpreter's order, and says who waits for each.
  ``take_N`` decodes the reply to them, or to a part of them, and fills what waited for it.
- ``add_X`` gives the objects of a class what another fetch tells of them; ``join`` finds out which objects those are.
- ``shape`` runs at the end, where objects hold what only representations wanted, or have other names for the client.

Where the one reply there is has the client's shape already, its bytes are the response: decoding has found every field in
it, of its type, and no other. It does not see how they are written: fields are in the subgraph's order, which by the
specification (7.2.2, serialized map ordering) is the document's and so the client's, and of a key that a subgraph writes
twice, each time as it should be, the client sees what its JSON parser takes, as it would of that subgraph. What is saved is
encoding, which counts where one large reply is all there is. (A reply with line breaks is written anew, as event streams
are made of lines.)

The functions know only how things go when nothing is wrong. Whatever else they meet, an error, a null or a type where the
client's schema has none, an entity that is not there, raises ``Astray`` or a msgspec error: then the interpreter does the
request over from the replies that are there.

What belongs here: text. What does not: what is read into a layout, and when the functions are called (``program``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.execution.compiled.classes import class_of, declared, out_class
from gateway.execution.compiled.objects import is_name, objects
from gateway.execution.compiled.places import TYPENAME, Gathering, Layout, Place
from gateway.execution.compiled.shaping import shape, treated
from gateway.plan import Representation, RequiredField

PRELUDE = """\
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder

from gateway.exchange import encode as as_json
from gateway.execution.compiled.support import Astray, copied, is_alone, join, merged, on_one_line, shape_any

Int = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Anything = dict | list | str | int | float | bool
encode = Encoder().encode
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A module's text, and the names it takes as given."""

    text: str
    given: Mapping[str, tuple[RequiredField, ...]]


def source(layout: Layout) -> Source:
    """A module with ``gather_N`` and ``take_N`` for every fetch that is sent, ``begin`` and ``finish``."""
    writer = _Writer(layout)
    return Source(text=writer.write(), given=writer.given)


class _Writer:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.stations = {
            place.number: place
            for several in layout.gatherings.values()
            for gathering in several
            for place, _ in gathering.stations
        } | {place.number: place for place in layout.roots.values() if place is not layout.root}
        self.given: dict[str, tuple[RequiredField, ...]] = {}
        self.adds: dict[str, str] = {}
        """What ``join`` looks up, by name."""

    def write(self) -> str:
        parts = [PRELUDE]
        # What is below is declared first.
        parts += ["\n".join(class_of(place, verbatim=self.layout.verbatim)) for place in reversed(self.layout.places)]
        parts += ["\n".join(out_class(place)) for place in reversed(self.layout.places) if place.converted]
        parts += ["\n".join(self.more(place, fetch)) for place, fetch in reversed(list(self.joined()))]
        parts += ["\n".join(objects(place, self.stations)) for place in self.stations.values()]
        for fetch in self.layout.fetches:
            if fetch.id in self.layout.gatherings:
                gatherings = self.layout.gatherings[fetch.id]
                parts.append("\n".join(self.gather(fetch.id, gatherings)))
                parts.append("\n".join(self.take_entities(fetch.id, gatherings)))
            else:
                parts.append("\n".join(self.take_root(fetch.id)))
        parts += ["\n".join(shape(place)) for place in reversed(self.layout.places) if treated(place)]
        parts += ["\n".join(self.adds.values())] if self.adds else []
        parts += ["\n".join(self.begin()), "\n".join(self.finish())]
        return "\n\n".join(parts) + "\n"

    # --- what a fetch adds ------------------------------------------------------------------------------------------------

    def joined(self) -> Iterator[tuple[Place, int]]:
        """The places to whose objects a fetch adds below what is its own, with that fetch."""
        for place in self.layout.places:
            for slot in place.slots.values():
                for fetch in slot.names:
                    if fetch != slot.source:
                        yield from ((each, fetch) for each in slot.places)

    def more(self, place: Place, fetch: int) -> list[str]:
        """The class of what a fetch tells of objects that are there, and the function that adds it."""
        options = "kw_only=True, gc=False"
        if place.tagged:
            options += f', tag="{place.type_name}", tag_field="{TYPENAME}"'
        return [
            f"class {place.class_in(fetch)}(Struct, {options}):",
            *([declared(each, fetch) for each in place.brought(fetch)] or ["    pass"]),
            "",
            "",
            f"def add_{place.class_in(fetch)}(of, answer):",
            *([f"    {each}" for each in self.additions(place, fetch, "of")] or ["    pass"]),
        ]

    def additions(self, place: Place, fetch: int, of: str) -> list[str]:
        """Statements that give an object what ``answer`` has."""
        found: list[str] = []
        for slot in place.brought(fetch):
            here, given = f"{of}.{slot.attribute}", f"answer.{slot.attribute}"
            if slot.source == fetch:
                found.append(f"{here} = {given}")
            elif slot.places:
                adds = f"ADDS_{place.number}_{slot.attribute}_{fetch}"
                kinds = [(each.class_name, each.class_in(fetch)) for each in slot.places]
                pairs = ", ".join(f"({name}, {more}): add_{more}" for name, more in kinds)
                self.adds[adds] = f"{adds} = {{{pairs}}}"
                found.append(f"join({here}, {given}, {adds})")
            else:
                found.append(f"{here} = merged({here}, {given})")
        return found

    # --- entities ---------------------------------------------------------------------------------------------------------

    def gather(self, fetch: int, gatherings: list[Gathering]) -> list[str]:
        lines = [f"def gather_{fetch}(run):"]
        results: list[str] = []
        for number, gathering in enumerate(gatherings):
            lines += [f"    waiting_{number} = {{}}", f"    sent_{number} = []"]
            recurs = self.recurs(gathering)
            if recurs is not None:
                lines.append(f"    known = run.known_{recurs}")
            kinds = kinds_of(gathering)
            simple = all(is_simple(place, representation) for place, representation in gathering.stations)
            for place, representation in gathering.stations:
                kind = next(at for at, each in enumerate(kinds) if each is representation)
                lines += self.gather_of(
                    place, representation, number, kind=kind if len(kinds) > 1 else None, simple=simple
                )
                if recurs is not None:
                    lines[-6:] = self.recall(place, fetch, lines[-6:])
            results.append(f"({gathering.entity.variable!r}, sent_{number})")
        waiting = ", ".join(f"waiting_{number}" for number in range(len(gatherings)))
        return [*lines, f"    return ({', '.join(results)},), ({waiting},)"]

    def gather_of(
        self, place: Place, representation: Representation, number: int, *, kind: int | None, simple: bool
    ) -> Iterator[str]:
        """Lines that add the representations of a place's objects: of one of several kinds, told apart by plain values."""
        variable = place.variable
        given = {each.name: self.value(place, variable, each) for each in representation.fields}
        yield f"    for {variable} in objects_{place.number}(run):"
        for each in representation.fields:
            for text in needed(place, variable, each):
                yield f"        if {text} is None:"
                yield f'            raise Astray("{each.name} of {place.where} is null")'
        built = (
            "{"
            + ", ".join([f'"{TYPENAME}": "{representation.typename}"'] + [f'"{n}": {v}' for n, v in given.items()])
            + "}"
        )
        if simple:
            parts = [*given.values(), *([str(kind)] if kind is not None else [])]
            yield f"        same = {parts[0] if len(parts) == 1 else '(' + ', '.join(parts) + ')'}"
        else:
            yield f"        built = {built}"
            yield "        same = as_json(built)"
        yield f"        slot = waiting_{number}.get(same)"
        yield "        if slot is None:"
        yield f"            waiting_{number}[same] = [{variable}]"
        yield f"            sent_{number}.append({built if simple else 'built'})"
        yield "        else:"
        yield f"            slot.append({variable})"

    def recurs(self, gathering: Gathering) -> int | None:
        """The number of what it asks, if more of the plan's fetches do and it can be told by plain values."""
        alike = [
            (fetch, each)
            for fetch, several in self.layout.gatherings.items()
            for each in several
            if each.entity.recurs is not None and each.entity.recurs == gathering.entity.recurs
        ]
        plain = all(
            len(kinds_of(each)) == 1
            and all(is_simple(place, representation) for place, representation in each.stations)
            and len({self.answer(place, fetch) for place, _ in each.stations}) == 1
            for fetch, each in alike
        )
        return gathering.entity.recurs if len(alike) > 1 and plain else None

    def recall(self, place: Place, fetch: int, lines: list[str]) -> list[str]:
        """The lines that look for who waits for the same, where the answer may be known."""
        variable = place.variable
        return [
            "        answer = known.get(same)",
            "        if answer is not None:",
            *(f"            {each}" for each in self.additions(place, fetch, variable)),
            "            continue",
            *lines,
        ]

    def value(self, place: Place, variable: str, field: RequiredField) -> str:
        """The expression for one field of a representation."""
        slot = place.slots[field.key]
        text = f"{variable}.{slot.attribute}"
        if not field.fields:
            return text
        if not slot.places:
            name = f"REQUIRED_{len(self.given)}"
            self.given[name] = field.fields
            return f"copied({text}, {name})"
        (below,) = slot.places
        inner = ", ".join(f'"{each.name}": {self.value(below, text, each)}' for each in field.fields)
        return f"None if {text} is None else {{{inner}}}" if slot.nullable else f"{{{inner}}}"

    def answer(self, place: Place, fetch: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The fields of an entity's answer for a place, and the statements that give them to ``each`` of its objects."""
        fields = [declared(each, fetch) for each in place.brought(fetch)]
        return tuple(fields), tuple(self.additions(place, fetch, "each"))

    def take_entities(self, fetch: int, gatherings: list[Gathering]) -> list[str]:
        lines: list[str] = []
        data = [f"class Data{fetch}(Struct, gc=False):"]
        body: list[str] = []
        for number, gathering in enumerate(gatherings):
            answers: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
            takers: list[str] = []
            for place, _ in gathering.stations:
                fields, additions = answer = self.answer(place, fetch)
                if answer not in answers:
                    answers[answer] = class_name = f"Entity{fetch}_{number}_{len(answers)}"
                    lines += [
                        f"class {class_name}(Struct, kw_only=True, gc=False):",
                        *(fields or ("    pass",)),
                        "",
                        "",
                    ]
                    lines += [f"def add_{class_name}(each, answer):"]
                    lines += [*(f"    {each}" for each in additions or ("pass",)), "", ""]
                class_name = answers[answer]
                takers.append(f"    {place.class_name}: (Decoder({class_name}).decode, add_{class_name}),")
            alike = len(answers) == 1
            of = next(iter(answers.values())) if alike else "Raw"
            data.append(f'    entities_{number}: list[{of}] = field(name="{gathering.entity.alias}")')
            body += [
                f"    answers = answered.data.entities_{number}",
                f"    slots = waiting[{number}]",
                "    if len(answers) != len(slots):",
                '        raise Astray("not every representation was answered")',
            ]
            each_of = ["    for slot, answer in zip(slots.values(), answers):", "        for each in slot:"]
            if not alike:
                lines += [f"takers_{fetch}_{number} = {{", *takers, "}", "", ""]
                body += [
                    *each_of,
                    f"            decode, add = takers_{fetch}_{number}[each.__class__]",
                    "            add(each, decode(answer))",
                ]
            elif additions:
                body += [*each_of, *(f"            {each}" for each in additions)]
            recurs = self.recurs(gathering)
            if recurs is not None:
                body.append(f"    run.known_{recurs}.update(zip(slots, answers))")
        lines += [*data, "", "", *self.reply(fetch), "", ""]
        return [*lines, *self.decoding(fetch), *body]

    def reply(self, fetch: int) -> list[str]:
        if self.layout.verbatim:
            options, extensions = "gc=False, forbid_unknown_fields=True", ["    extensions: Any = UNSET"]
        else:
            options, extensions = "gc=False", []
        return [
            f"class Reply{fetch}(Struct, {options}):",
            f"    data: Data{fetch}",
            "    errors: list | None | UnsetType = UNSET",
            *extensions,
            "",
            "",
            f"decode_{fetch} = Decoder(Reply{fetch}).decode",
        ]

    def decoding(self, fetch: int) -> list[str]:
        """How a function that takes a reply begins."""
        return [
            f"def take_{fetch}(run, waiting, reply):",
            f"    answered = decode_{fetch}(reply)",
            "    if answered.errors:",
            '        raise Astray("there are errors")',
        ]

    # --- the root ---------------------------------------------------------------------------------------------------------

    def take_root(self, fetch: int) -> list[str]:
        place = self.layout.roots[fetch]
        lines: list[str] = []
        if place.base == fetch:
            lines += [f"Data{fetch} = {place.class_name}", "", ""]
            filled = ["    run.root = answered.data"]
            if self.layout.verbatim:
                filled.append("    run.sent = reply if on_one_line(reply) and is_alone(answered) else None")
        else:
            lines += [f"class Data{fetch}(Struct, kw_only=True, gc=False):"]
            lines += [*([declared(each, fetch) for each in place.brought(fetch)] or ["    pass"]), "", ""]
            every = "(run.root,)" if place is self.layout.root else f"objects_{place.number}(run)"
            filled = ["    answer = answered.data", f"    for of in {every}:"]
            filled += [f"        {each}" for each in self.additions(place, fetch, "of") or ("pass",)]
        lines += [*self.reply(fetch), "", ""]
        return [*lines, *self.decoding(fetch), *filled]

    def begin(self) -> list[str]:
        stations = [f"    run.objects_{number} = None" for number in self.stations]
        root = self.layout.root
        first = "None" if root.base in self.layout.roots else f"{root.class_name}()"
        found = [self.recurs(each) for several in self.layout.gatherings.values() for each in several]
        known = [f"    run.known_{number} = {{}}" for number in sorted({each for each in found if each is not None})]
        return ["def begin(run):", f"    run.root = {first}", *stations, *known]

    def finish(self) -> list[str]:
        root = self.layout.root
        of = f"shape_{root.number}(run.root)" if treated(root) else "run.root"
        return [
            "class Answer(Struct, gc=False):",
            "    data: Any",
            "",
            "",
            "def finish(run):",
            f"    return {'run.sent or ' if self.layout.verbatim else ''}encode(Answer({of}))",
        ]


def kinds_of(gathering: Gathering) -> list[Representation]:
    """The different representations that are sent."""
    kinds: list[Representation] = []
    for _, representation in gathering.stations:
        if not any(representation is each for each in kinds):
            kinds.append(representation)
    return kinds


def is_simple(place: Place, representation: Representation) -> bool:
    """Whether two such representations are equal just when their values are, as a dict has it: 1 is also true, and 1.0."""
    slots = [place.slots[each.key] for each in representation.fields if not each.fields]
    return len(slots) == len(representation.fields) and all(map(is_name, slots))


def needed(place: Place, variable: str, field: RequiredField) -> Iterator[str]:
    """Expressions of what must not be null."""
    slot = place.slots[field.key]
    text = f"{variable}.{slot.attribute}"
    if not field.nullable and (slot.nullable or not slot.shown):
        yield text
    for each in field.fields if slot.places else ():
        if not field.nullable:
            yield from needed(slot.places[0], text, each)
