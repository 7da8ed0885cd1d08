"""The classes that a layout's objects have in the generated text. What belongs here: their fields. What does not: functions."""

from __future__ import annotations

from gateway.execution.compiled.places import TYPENAME, Place, Slot, attribute


def class_of(place: Place, *, verbatim: bool) -> list[str]:
    """``verbatim``: what is decoded goes to the client as it came, so nothing may be in it, or missing, that nobody asked for."""
    options = "kw_only=True, gc=False" + (", forbid_unknown_fields=True" if verbatim else "")
    alone = place.tagged and place.parent is not None and len(place.parent[1].places) == 1
    if place.tagged and not alone:
        options += f', tag="{place.type_name}", tag_field="{TYPENAME}"'
    lines = [f"class {place.class_name}(Struct, {options}):", f'    """{place.where}"""', ""]
    if alone:
        # Nothing has to be told apart, so msgspec would not miss the tag.
        lines.append(constant(place, TYPENAME, required=True))
    listed: list[Slot] = []
    for _, key, node, _, _ in place.node.fields:
        if node is None:
            if not place.converted and not place.tagged:
                lines.append(constant(place, TYPENAME, required=verbatim))
        elif place.slots[key] not in listed:
            listed.append(place.slots[key])
            lines.append(declared(listed[-1], place.base))
    return lines + [declared(each, place.base) for each in place.hidden]


def out_class(place: Place) -> list[str]:
    lines = [f"class Shown{place.class_name}(Struct, kw_only=True, gc=False):"]
    for response_key, _, node, _, _ in place.node.fields:
        if node is None:
            lines.append(constant(place, response_key))
        else:
            name = attribute(response_key)
            renamed = "" if name == response_key else f' = field(name="{response_key}")'
            lines.append(f"    {name}: Any{renamed}")
    return lines if len(lines) > 1 else [*lines, "    pass"]


def constant(place: Place, response_key: str, *, required: bool = False) -> str:
    text, name = place.node.typename, attribute(response_key)
    if required:
        return f'    {name}: Literal["{text}"] = field(name="{response_key}")'
    default = f'"{text}"' if name == response_key else f'field(default="{text}", name="{response_key}")'
    return f'    {name}: Literal["{text}"] = {default}'


def declared(slot: Slot, fetch: int) -> str:
    """The field as a fetch's answer has it, unset where another fetch brings it."""
    later = fetch not in slot.names
    text = "Any" if later else slot.annotation(fetch)
    name = slot.names.get(fetch, slot.key)
    options = [*(["default=UNSET"] if later else []), *([f'name="{name}"'] if slot.attribute != name else [])]
    if options:
        text += f" = field({', '.join(options)})"
    return f"    {slot.attribute}: {text}" + (f"  # from [{slot.source}]" if later else "")
