"""The generated functions that make of an object what the client sees, where it is not that already.

What does not belong here: which place needs it for what it is (``places``), and when it is done (``source``).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.execution.compiled.places import Place, Slot, attribute


def shape(place: Place) -> list[str]:
    """What makes of an object what the client sees. An object may be met twice, where several share it."""
    lines = [f"def shape_{place.number}(of):", f'    """{place.where}"""']
    if place.converted:
        lines += [f"    if of.__class__ is not {place.class_name}:", "        return of"]
    for slot in place.slots.values():
        kinds = [each for each in slot.places if treated(each)]
        if kinds and slot.shown:
            lines += shape_slot(slot, kinds)
    if place.converted:
        shown = [
            f"{attribute(response_key)}=of.{place.slots[key].attribute}"
            for response_key, key, node, _, _ in place.node.fields
            if node is not None
        ]
        return [*lines, f"    return Shown{place.class_name}({', '.join(shown)})"]
    lines += [f"    of.{each.attribute} = UNSET" for each in place.hidden]
    return [*lines, "    return of"]


def shape_slot(slot: Slot, kinds: Sequence[Place]) -> list[str]:
    return [f"    value = of.{slot.attribute}", f"    of.{slot.attribute} = {shaped(slot, kinds, 0, 'value')}"]


def shaped(slot: Slot, kinds: Sequence[Place], depth: int, variable: str) -> str:
    if depth < len(slot.levels) - 1:
        item = f"each_{depth}"
        text = f"[{shaped(slot, kinds, depth + 1, item)} for {item} in {variable}]"
    elif len(slot.places) == 1:
        text = f"shape_{kinds[0].number}({variable})"
    else:
        shapes = ", ".join(f"{each.class_name}: shape_{each.number}" for each in kinds)
        text = f"shape_any({variable}, {{{shapes}}})"
    return f"None if {variable} is None else {text}" if slot.levels[depth] else text


def treated(place: Place) -> bool:
    """Whether its objects are not yet what the client sees when the last fetch is done."""
    return (
        place.converted
        or bool(place.hidden)
        or any(treated(each) for slot in place.slots.values() if slot.shown for each in slot.places)
    )
