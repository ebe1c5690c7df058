"""Looking things up in the settings tree by path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.config.tree import Section

Location = tuple[str | int, ...]


def section_of(field: FieldInfo | None) -> type[Section] | None:
    """The section class of a field that is a section."""
    return _section(field.annotation if field is not None else None)


def member_of(field: FieldInfo | None) -> type[Section] | None:
    """The section class of a field that is a map from names to sections."""
    if field is None or not is_map(field):
        return None
    return _section(get_args(field.annotation)[1])


def _section(kind: object) -> type[Section] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def field_at(tree: type[Section], location: Location) -> FieldInfo | None:
    """The field at a location, also for a place inside a list or a map; None for what the tree does not name."""
    section = holder_of(tree, location[:-1])
    if section is not None:
        return section.model_fields.get(str(location[-1]))
    # Inside a list or a map of plain values, or the name of a section in a map.
    return field_at(tree, location[:-1]) if len(location) > 1 else None


def holder_of(tree: type[Section], location: Location) -> type[Section] | None:
    """The section that stands at a location: the tree itself, a section of it, or a member of a map of sections."""
    section: type[Section] | None = tree
    member: type[Section] | None = None
    for step in location:
        if member is not None:
            section, member = member, None
        elif section is None:
            return None
        else:
            field = section.model_fields.get(str(step))
            section, member = section_of(field), member_of(field)
    return section


def leaves(tree: type[Section], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting that is not a section, as dotted path and field, in the order of the tree."""
    for name, field in tree.model_fields.items():
        section = section_of(field)
        if section is None:
            yield above + name, field
        else:
            yield from leaves(section, f"{above}{name}.")


def is_secret(field: FieldInfo | None) -> bool:
    return field is not None and field.annotation is SecretStr


def is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def is_map(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def dotted(location: Location) -> str:
    """`("server", "extra_listen", 0)` → `server.extra_listen[0]`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
