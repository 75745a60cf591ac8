"""What the classes of the settings say for people and editors: tables and a JSON Schema."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined

from emaki.common.plugins import Kind
from emaki.common.settings import Pinned, Settings
from emaki.config.settings import (
    CAPTIONERS,
    MEASURES,
    SOURCES,
    Claim,
    Dataset,
    Evaluation,
    Experiment,
    ExperimentPrompts,
    Machine,
    Matrix,
    Model,
    PromptSet,
    Run,
    Sampling,
    Study,
    TinyModels,
)
from emaki.training.recipes import EMA_PRESETS, RECIPES
from emaki.training.settings import Ema, Start

CLASSES: dict[str, type[Settings]] = {
    "study": Study,
    "models": Model,
    "sampling": Sampling,
    "evaluation": Evaluation,
    "machine": Machine,
    "datasets": Dataset,
    "prompts": PromptSet,
    "runs": Run,
    "ema": Ema,
    "start": Start,
    "experiments": Experiment,
    "experiment prompts": ExperimentPrompts,
    "matrix": Matrix,
    "claims": Claim,
}
KINDS: dict[str, Kind[Any]] = {"measures": MEASURES, "sources": SOURCES, "captions": CAPTIONERS}
# Columns of defaults: {heading: what is different from the class's own}.
COLUMNS: dict[str, dict[str, dict[str, Any]]] = {
    "runs": {"default": {}, "with `compvis`": RECIPES["compvis"]},
    "ema": {
        "in preset `diffusers`": EMA_PRESETS["diffusers"],
        "in preset `compvis`": EMA_PRESETS["compvis"],
    },
}
# Of a setting beside its type: for tables and messages, not for editors.
OWN = ("allowed", "value", "left_out", "default_words", "title")
MARKED = re.compile(
    r"(<!-- settings of ([a-z ]+?)(?:: ([a-z0-9_, \n]+))? -->\n).*?(?=<!-- end -->)", re.DOTALL
)


def fill_tables(page: str) -> str:
    """A page with the tables between its marks as the classes have them.

    `<!-- settings of sampling -->` begins one, or a table of each type of a kind of plug-in;
    after a colon there may be the keys that are to be in it. `<!-- end -->` ends it.
    """

    def fill(match: re.Match[str]) -> str:
        start, name, keys = match.groups()
        wanted = re.split(r",\s*", keys) if keys else None
        return f"{start}\n{describe(name, wanted)}\n"

    return MARKED.sub(fill, page)


def describe(name: str, keys: list[str] | None = None) -> str:
    """The table of a class of CLASSES, of all of its keys or of these, or the tables of a kind."""
    if name in KINDS:
        kind = KINDS[name]
        return "\n".join(_plug_in(type_, kind.find(type_)) for type_ in kind.names())
    settings = CLASSES[name]
    columns = COLUMNS.get(name, {"default": {}})
    keys = keys or list(settings.model_fields)
    # a recipe that has the same defaults needs no column
    shown = {
        heading: other
        for heading, other in columns.items()
        if name != "runs" or not other or other.keys() & set(keys)
    }
    return _table(settings, keys, shown)


def _plug_in(type_: str, settings: type[Settings]) -> str:
    keys = [key for key in settings.model_fields if key != "type"]
    described = f"`{type_}`: {_one_line(settings.__doc__)}\n"
    if keys:
        described += f"\n{_table(settings, keys, {'default': {}})}"
    for key in keys:
        for inner in _nested(settings.model_fields[key].annotation):
            described += f"\nWithin `{key}`:\n\n"
            described += _table(inner, list(inner.model_fields), {"default": {}})
    return described


def _nested(annotation: Any) -> Iterator[type[Settings]]:
    """The classes of mappings within a setting; what is pinned is described once."""
    parts = getattr(annotation, "__args__", (annotation,))
    for part in parts:
        if isinstance(part, type) and issubclass(part, Settings) and part is not Pinned:
            yield part


def _table(settings: type[Settings], keys: list[str], columns: dict[str, dict[str, Any]]) -> str:
    schema = settings.model_json_schema()["properties"]
    heads = ["key", "value", *columns, "meaning"]
    rows = []
    for key in keys:
        defaults = [_default(settings, key, other) for other in columns.values()]
        meaning = _one_line(settings.model_fields[key].description).removesuffix(".")
        rows.append([f"`{key}`", _value(schema[key]), *defaults, meaning])
    lines = [
        f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in row)}|" for row in [heads, *rows]
    ]
    lines.insert(1, "|---" * len(heads) + "|")
    return "".join(f"{line}\n" for line in lines)


def _default(settings: type[Settings], key: str, other: dict[str, Any]) -> str:
    field = settings.model_fields[key]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    if key in other:
        return spell_value(other[key])
    if "default_words" in extra:
        return str(extra["default_words"])
    if field.is_required():
        return "—"
    if "left_out" in extra or field.default is PydanticUndefined:
        return ""
    return spell_value(field.default)


def spell_value(value: Any) -> str:
    """A value as one writes it in a config."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {spell_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(spell_value, value))}]"
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if isinstance(value, str) and value.strip() == value != "":
        return value
    return json.dumps(value)


def _value(schema: dict[str, Any]) -> str:
    """What may stand for a value, in few words, from its JSON Schema."""
    if "value" in schema:
        return str(schema["value"])
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if not (_is_null(part) and "left_out" in schema)]
        return ", ".join(dict.fromkeys(map(_value, parts)))
    if "const" in schema or "enum" in schema:
        choices = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = schema.get("type", "object")
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "array":
        return f"list of {_items(schema['items'])}"
    words = {"string": "text", "boolean": "true, false", "object": "mapping", "null": "null"}
    return words[kind]


def _items(schema: dict[str, Any]) -> str:
    """What the items of a list are."""
    if "enum" in schema:
        return _value(schema)
    if schema["type"] == "number":
        return f"numbers, {_number(schema)}"
    return {"string": "texts", "integer": "whole numbers"}[schema["type"]]


def _number(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    words = []
    if least is not None and most is not None:
        words.append(f"{least:.17g} to {most:.17g}")
    elif least is not None and "exclusiveMaximum" in schema:
        words.append(f"{least:g} to below {schema['exclusiveMaximum']:g}")
    elif least is not None and "multipleOf" not in schema:
        words.append(f"{least:g} or more")
    elif "exclusiveMinimum" in schema:
        words.append(f"above {schema['exclusiveMinimum']:g}")
    if most is not None and least is None:
        words.append(f"up to {most:g}")
    if "multipleOf" in schema:
        words.append(f"multiple of {schema['multipleOf']}")
    return ", ".join(words) or {"integer": "whole number", "number": "number"}[schema["type"]]


def _is_null(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "null"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a config file, for editors.

    A file need have no more than `study`, since it may extend another, and a run what it inherits.
    """
    study, tiny = Study.model_json_schema(), TinyModels.model_json_schema()
    definitions = study.pop("$defs") | tiny.pop("$defs")
    definitions["Run"].pop("required")
    base = {"type": "string", "description": "Another config file, relative to this one."}
    study["properties"]["extends"] = base
    study["required"] = ["study"]
    for section in study["properties"].values():
        for pattern, entry in section.get("patternProperties", {}).items():
            section["patternProperties"][pattern] = {"anyOf": [entry, {"type": "null"}]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Generated from the classes of the settings; do not edit.",
        "if": {"required": ["tiny"]},
        "then": tiny,
        "else": study,
        "$defs": dict(sorted(definitions.items())),
    }
    return _for_editors(schema)


def _for_editors(schema: Any) -> Any:
    """A JSON Schema without what only this module reads."""
    if isinstance(schema, list):
        return [_for_editors(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("left_out"):
        (given,) = [part for part in schema["anyOf"] if not _is_null(part)]
        schema = given | {key: schema[key] for key in ("description",) if key in schema}
    return {
        key: {name: _for_editors(inner) for name, inner in value.items()}
        if key in ("properties", "patternProperties", "$defs")
        else _one_line(value)
        if key == "description"
        else _for_editors(value)
        for key, value in schema.items()
        if key not in OWN
    }
