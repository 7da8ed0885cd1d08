"""The generated functions that find the objects of a place. What does not belong here: what is asked of them (``source``)."""

from __future__ import annotations

from collections.abc import Container, Sequence

from gateway.execution.compiled.places import Place, Slot


def walk(place: Place, stations: Container[int]) -> tuple[list[str], str, str]:
    """Lines that lead from the nearest place whose objects are known to the objects of this one; the variable that
    holds one, and what to assign to for another to be in its stead (nothing, if there is no such place)."""
    if place.parent is None:
        return ["root = run.root"], "root", ""
    above, slot = place.parent
    if above.number in stations:
        lines, holder = [f"for {above.variable} in objects_{above.number}(run):"], above.variable
    else:
        lines, holder, _ = walk(above, stations)
    indent = indentation(lines)
    value, stead = f"{holder}.{slot.attribute}", f"{holder}.{slot.attribute}"
    for depth in range(len(slot.levels) - 1):
        of = f"items{place.number}_{depth}"
        lines.append(f"{indent}{of} = {value}")
        if slot.levels[depth]:
            lines.append(f"{indent}if {of} is not None:")
            indent += "    "
        index, value = f"at{place.number}_{depth}", f"each{place.number}_{depth}"
        stead = f"{of}[{index}]"
        lines.append(f"{indent}for {index}, {value} in enumerate({of}):")
        indent += "    "
    lines.append(f"{indent}{place.variable} = {value}")
    if len(slot.places) > 1 or (place.tagged and slot.levels[-1]):
        lines.append(f"{indent}if {place.variable}.__class__ is {place.class_name}:")
    elif slot.levels[-1]:
        lines.append(f"{indent}if {place.variable} is not None:")
    return lines, place.variable, stead


def objects(place: Place, stations: Container[int]) -> list[str]:
    lines = [
        f"def objects_{place.number}(run):",
        f'    """{place.where}"""',
        f"    if run.objects_{place.number} is not None:",
        f"        return run.objects_{place.number}",
        f"    found = run.objects_{place.number} = []",
    ]
    way, variable, stead = walk(place, stations)
    indent = indentation(way)
    same = identity(place) if stead else None
    if same is None:
        lines += ["    " + each for each in way] + [f"    {indent}found.append({variable})"]
    else:
        read = [f"{variable}.{each.attribute}" for each in same]
        lines += ["    known = {}", *("    " + each for each in way)]
        lines += [
            "    " + indent + each
            for each in (
                f"same = {read[0] if len(read) == 1 else '(' + ', '.join(read) + ')'}",
                "first = known.get(same)",
                "if first is None:",
                f"    known[same] = {variable}",
                f"    found.append({variable})",
                "else:",
                f"    {stead} = first",
            )
        ]
    return [*lines, "    return found"]


def identity(place: Place) -> list[Slot] | None:
    """What makes two objects of a place equal, where their base says nothing else of them; otherwise None."""
    if place.parent is None or len(place.parent[1].names) > 1:
        return None
    own = [each for each in place.slots.values() if each.source == place.base]
    return own if own and all(map(is_name, own)) else None


def is_name(slot: Slot) -> bool:
    return not slot.places and slot.leaf in ("str", "Int") and len(slot.levels) == 1


def indentation(lines: Sequence[str]) -> str:
    """That of what comes after the last line."""
    last = lines[-1]
    own = last[: len(last) - len(last.lstrip())]
    return own + "    " if last.endswith(":") else own
