"""Two questions about types: whether one can stand inside itself, and whether it takes room."""

from broker.codec.projection_types import Array, Fixed, Map, Record, Type, Union, is_null


def is_recursive(record: Record) -> bool:
    """Tell whether a record can stand somewhere inside itself."""
    seen: set[Type] = set()
    waiting: list[Type] = [each.type for each in record.fields]
    while waiting:
        type_ = waiting.pop()
        if type_ is record:
            return True
        if type_ not in seen:
            seen.add(type_)
            waiting += _inside(type_)
    return False


def has_width(type_: Type) -> bool:
    """Tell whether every value takes at least one byte."""
    if isinstance(type_, Record):
        # A recursive record has a union or an array on the way, and that takes a byte.
        return is_recursive(type_) or any(has_width(each.type) for each in type_.fields)
    return not is_null(type_) and not (isinstance(type_, Fixed) and type_.size == 0)


def _inside(type_: Type) -> list[Type]:
    if isinstance(type_, Record):
        return [each.type for each in type_.fields]
    if isinstance(type_, Union):
        return list(type_.branches)
    if isinstance(type_, Array):
        return [type_.items]
    return [type_.values] if isinstance(type_, Map) else []
