"""The shape of a config against the JSON Schemas in config/schemas/, told in plain words.

The schemas' `default`s are filled in as they are met, as jsonschema's manual shows it.
"""

import copy
import functools
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from emaki.config.reading import nearest

FOLDER = Path(__file__).parents[3] / "config" / "schemas"
WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "greater than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
}


@functools.cache
def registry():
    """All schemas by file name, so that they `$ref` each other."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    contents = {
        path.name: yaml.load(path.read_text("utf-8"), loader)
        for path in sorted(FOLDER.glob("*.schema.yaml"))
    }
    for content in contents.values():
        del content["$schema"]  # it would take the place of _Validator within a `$ref`
    return Registry().with_resources(
        (name, Resource(content, DRAFT202012)) for name, content in contents.items()
    )


def check(document):
    """Fill the defaults of a Document in place; return what is wrong with its shape (sentences)."""
    main = registry()["config.schema.yaml"].contents
    found = {}
    for error in _Validator(main, registry=registry()).iter_errors(document.data):
        for path, text in _explain(error, tuple(error.absolute_path)):
            if document.says_itself(path):
                found.setdefault(path, text)
    return [document.error(path, text) for path, text in found.items()]


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict):
        for key, value in properties.items():
            if "default" in value:
                instance.setdefault(key, copy.deepcopy(value["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


_Validator = validators.extend(
    Draft202012Validator,
    {"properties": _fill_defaults},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(  # not 3.0: paths are made of it
        "integer", lambda checker, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def _explain(error, path):
    """Pairs (path, sentence) for one of jsonschema's errors."""
    kind, limit, value = error.validator, error.validator_value, error.instance
    if kind == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        listed = ", ".join(known)
        return [
            ((*path, key), f"is not a key here; there are: {listed}{nearest(key, known)}")
            for key in value
            if key not in known
        ]
    if kind == "required":
        missing = [key for key in limit if key not in value]
        return [((*path, key), "is missing") for key in missing]
    if "propertyNames" in error.absolute_schema_path:
        return [((*path, value), "is a name with other characters than letters, digits and . _ -")]
    if kind in ("anyOf", "oneOf"):
        return _explain_choice(error, path)
    if kind == "enum":
        allowed = f"one of {', '.join(map(_show, limit))}{nearest(value, limit)}"
    elif kind == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        allowed = " or ".join(WORDS[name] for name in kinds)
    elif kind in BOUNDS:
        allowed = BOUNDS[kind].format(limit)
    elif kind in ("minItems", "minProperties", "minLength"):
        return [(path, "is empty")]
    elif kind == "uniqueItems":
        twice = next(item for n, item in enumerate(value) if item in value[:n])
        return [(path, f"has {_show(twice)} twice")]
    elif kind == "pattern" and isinstance(value, str) and not value.strip():
        return [(path, "is empty")]
    elif "description" in error.schema:
        allowed = error.schema["description"]
    else:
        return [(path, error.message)]
    return [(path, f"is {_show(value)}, but must be {allowed}")]


def _explain_choice(error, path):
    """An anyOf: the mistakes within the alternative of the right type, or what may stand there."""
    mistyped = {
        part.relative_schema_path[0]
        for part in error.context
        if part.validator in ("type", "enum", "const") and not part.relative_path
    }
    fitting = [part for part in error.context if part.relative_schema_path[0] not in mistyped]
    if fitting:
        explained = [_explain(part, (*path, *part.relative_path)) for part in fitting]
        return [pair for pairs in explained for pair in pairs]
    allowed = error.schema.get("description", "something else")
    return [(path, f"is {_show(error.instance)}, but must be {allowed}")]


def _show(value):
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict | list):
        return WORDS["object" if isinstance(value, dict) else "array"]
    return str(value)
