"""What pydantic finds wrong with settings, told in plain words."""

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from emaki.common.errors import UserError, nearest
from emaki.common.plugins import PluggedIn
from emaki.common.settings import ModelFolder, Settings

MOST = 1000  # findings that are looked into
KeyPath = tuple[str | int, ...]
Keys = Sequence[str | int]

WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}
BOUNDS = {
    "greater_than_equal": ("ge", "at least {}"),
    "less_than_equal": ("le", "at most {}"),
    "greater_than": ("gt", "greater than {}"),
    "less_than": ("lt", "less than {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
}
EMPTY = ("too_short", "string_too_short")
FOLLOWING = ("default_factory_not_called",)  # of another key, which is told


def explain(error: ValidationError, root: type[Settings], data: Any) -> dict[KeyPath, str]:
    """What is wrong with `data` as an object of `root`: a sentence by the path of keys.

    A sentence goes on after the entry's name: "is missing". There is one a path, the first.
    """
    found: dict[KeyPath, str] = {}
    items = error.errors(include_url=False)[:MOST]
    details = [(*_split(item, data), item) for item in items if item["type"] not in FOLLOWING]
    mistyped = {
        (at, tag)
        for path, tags, item in details
        for at, tag in tags
        if at == path and _is_of_type(item["type"])
    }
    tried = {(at, tag) for _, tags, _ in details for at, tag in tags}
    for path, tags, item in details:
        unfit = next((at for at, tag in tags if (at, tag) in mistyped), None)
        if unfit is None:
            found.setdefault(path, _sentence(item, path, root, data))
        elif _tags_at(tried, unfit) <= _tags_at(mistyped, unfit):  # no alternative fits
            value = _value_at(data, unfit)
            found.setdefault(unfit, _must_be(value, _annotation(root, data, unfit)))
    return found


def _tags_at(pairs: set[tuple[KeyPath, str]], path: KeyPath) -> set[str]:
    """The alternatives of those pairs that are at a path."""
    return {tag for at, tag in pairs if at == path}


def _split(item: Any, data: Any) -> tuple[KeyPath, list[tuple[KeyPath, str]]]:
    """An error's location as a path of the config's keys, and the alternatives that it names.

    pydantic names within a location which alternative of a union was tried: no key of the data.
    """
    location = item["loc"]
    missing = len(location) - 1 if item["type"] == "missing" else None
    path: KeyPath = ()
    alternatives = []
    for place, part in enumerate(location):
        if (part in data) if isinstance(data, dict) else isinstance(part, int):
            data = data[part]
            path = (*path, part)
        elif place == missing:
            path = (*path, part)
        elif part != "[key]":
            alternatives.append((path, part))
    return path, alternatives


def _is_of_type(kind: str) -> bool:
    """Whether an error is that a value has another type than it must."""
    return kind.endswith("_type") or kind == "literal_error"


def _sentence(item: Any, path: KeyPath, root: type[Settings], data: Any) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        entry = _value_at(data, path[:-1])
        return _unknown_key(path[-1], _leaves(_annotation(root, data, path[:-1]), entry))
    if kind in EMPTY:
        return "is empty"
    if kind == "too_long":
        return f"has {context['actual_length']} entries, but may have {context['max_length']}"
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        bound = context[key]
        whole = int(bound) if bound == int(bound) else bound
        return f"is {show(value)}, but must be {words.format(whole)}"
    if kind == "finite_number":
        return f"is {show(value)}, but must be a number that is not infinite"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind == "plug_in":
        return item["msg"]
    if item["loc"][-1] == "[key]":
        annotation = _annotation(root, data, path[:-1])
        return f"is not {_extra(_key_type(annotation), 'allowed')}"
    if kind == "string_pattern_mismatch" and not value.strip():
        return "is empty"
    annotation = _annotation(root, data, path)
    if _is_of_type(kind) or _extra(annotation, "allowed"):
        return _must_be(value, annotation)
    return f"is {show(value)}: {item['msg']}"


def _unknown_key(key: str | int, alternatives: Iterator[Any]) -> str:
    fields: dict[str, None] = {}
    for settings in filter(_is_settings, alternatives):
        if new := settings.RENAMED.get(str(key)):
            return f"is called {new} now"
        fields |= dict.fromkeys(settings.model_fields)
    known = sorted(fields)
    return f"is not a key here; there are: {', '.join(known)}{nearest(key, known)}"


def _must_be(value: Any, annotation: Any) -> str:
    choices = [choice for leaf in _leaves(annotation) for choice in _choices(leaf)]
    allowed = _extra(annotation, "allowed") or " or ".join(_words(annotation))
    near = nearest(value, choices) if isinstance(value, str) else ""
    return f"is {show(value)}, but must be {allowed}{near}"


def _words(annotation: Any) -> list[str]:
    """What each alternative of a type is called."""
    found = []
    optional = not _extra(annotation, "left_out")
    for leaf in _leaves(annotation):
        if choices := _choices(leaf):
            found.append(f"one of {', '.join(map(show, choices))}")
        elif _is_settings(leaf):
            found.append(WORDS[dict])
        elif leaf is not type(None) or optional:
            kind = get_origin(leaf) or leaf
            found.append(WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}"))
    return list(dict.fromkeys(found))


def _annotation(root: Any, data: Any, path: KeyPath) -> Any:
    """The type of what may stand at a path."""
    annotation: Any = root
    for part in path:
        annotation = _within(annotation, data, part)
        data = data[part] if not isinstance(data, dict) or part in data else None
    return annotation


def _within(annotation: Any, data: Any, part: str | int) -> Any:
    """The type of what may stand in a value of this type at a key or place."""
    for leaf in _leaves(annotation, data):
        if get_origin(leaf) in (dict, list):
            return get_args(leaf)[-1]
        if _is_settings(leaf) and part in leaf.model_fields:
            field = leaf.model_fields[str(part)]
            return Annotated[field.annotation, field, *field.metadata]
    return Any


def _leaves(annotation: Any, value: Any = None) -> Iterator[Any]:
    """The alternatives of a type; of what is plugged in the class that the `value` asks for."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        plugged_in = [mark for mark in marks if isinstance(mark, PluggedIn)]
        yield from [_class_of(mark, value) for mark in plugged_in] or _leaves(inner, value)
    elif origin in (Union, types.UnionType):
        for alternative in get_args(annotation):
            yield from _leaves(alternative, value)
    elif annotation is ModelFolder:
        yield from _leaves(ModelFolder.WRITTEN)
    else:
        yield annotation


def _class_of(mark: PluggedIn, entry: Any) -> type[Settings]:
    try:
        return mark.kind.find(str(entry["type"]))
    except (UserError, TypeError, KeyError):  # told by itself
        return mark.kind.base


def _is_settings(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, Settings)


def _choices(leaf: Any) -> tuple[Any, ...]:
    return get_args(leaf) if get_origin(leaf) is Literal else ()


def _key_type(annotation: Any) -> Any:
    return next(get_args(leaf)[0] for leaf in _leaves(annotation) if get_origin(leaf) is dict)


def _extra(annotation: Any, key: str) -> Any:
    """What a field says of itself beside its type, or an alternative of the type does."""
    origin = get_origin(annotation)
    if annotation is ModelFolder:
        return _extra(ModelFolder.WRITTEN, key)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        for mark in marks:
            extra = mark.json_schema_extra if isinstance(mark, FieldInfo) else None
            if isinstance(extra, dict) and key in extra:
                return extra[key]
        return _extra(inner, key)
    if origin in (Union, types.UnionType):
        return next(filter(None, (_extra(part, key) for part in get_args(annotation))), None)
    return None


def _value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def spell(path: Keys) -> str:
    """Keys as one writes them: ("runs", "a", 0) is "runs.a[0]"."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).removeprefix(".")


def show(value: Any) -> str:
    """A value as one writes it in a config."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict | list):
        return WORDS[type(value)]
    return str(value)
