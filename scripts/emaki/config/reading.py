"""YAML files read strictly, with the place of every entry kept for the error messages.

Scalars follow YAML 1.2's core schema, so that `1e-4` is a number, `no` is a word (PyYAML's YAML
1.1 makes them a word and `false`) and a date is the text that was written.
"""

import difflib
import os
import re
from dataclasses import dataclass, field

import yaml

from emaki.common.errors import UserError

# Sections whose entries have names that the user chooses.
NAMED = ("models", "sources", "captions", "datasets", "prompts", "runs", "experiments")
PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's own attribute)


for _kind, _pattern, _first in [
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
]:
    _tag = f"tag:yaml.org,2002:{_kind}"
    Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass
class Document:
    """What a file says (`data`), where (`places`: path of keys to file and line) and, once runs are
    resolved, what each run says itself (`own`)."""

    file: str
    data: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)
    own: dict = field(default_factory=dict)

    def error(self, path, message):
        """A sentence about the entry at `path`, a sequence of keys, with the place it is from.

        `message` goes on after the entry's name: "is missing".
        """
        path = tuple(path)
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.places), ())
        file, line = self.places.get(known, (self.file, 1))
        return f"{file}:{line}: {spell(path) or 'the config'} {message}"

    def replace(self, section, value, file):
        """Put `value`, which is from another file, in the place of a whole section."""
        self.data[section] = from_text(value)
        kept = {path: place for path, place in self.places.items() if path[:1] != (section,)}
        self.places = kept | {(section,): (file, 1)}

    def says_itself(self, path):
        """Whether `path` is not within a key that a run inherits by `extends`."""
        if len(path) < 3 or path[0] != "runs":
            return True
        run = self.own.get(path[1], {})
        return path[2] in run or run.get("extends") is None


def read(path, chain=()):
    """Read a config file and what it `extends`, as a Document.

    An entry of a section (a run, a source; a key of `sampling`) replaces the inherited entry of
    that name whole; null takes it away. Raises UserError with the file and line where the text
    is not YAML, a key comes twice, or the files extend each other in a circle.
    """
    path = os.path.normpath(path)
    if path in chain:
        raise UserError(f"{path} extends itself: {' -> '.join([*chain, path])}")
    own = _parse(path)
    base = own.data.pop("extends", None)
    if base is None:
        return own
    if not isinstance(base, str):
        raise UserError(own.error(["extends"], "is not the path of another config file"))
    base = os.path.join(os.path.dirname(path), base)
    if not os.path.isfile(base):
        raise UserError(own.error(["extends"], f"is {base}, which is no file"))
    return _merge(read(base, (*chain, path)), own)


def _merge(base, own):
    own.places.setdefault(("study",), (own.file, 1))  # never the base's: they would share a folder
    kept = {path: place for path, place in base.places.items() if path[:2] not in own.places}
    merged = Document(own.file, dict(base.data), kept | own.places)
    merged.data.pop("study", None)
    for section, entries in own.data.items():
        inherited = merged.data.get(section)
        if not (isinstance(entries, dict) and isinstance(inherited, dict)):
            merged.data[section] = entries
            continue
        gone = {name for name, entry in entries.items() if entry is None and section in NAMED}
        for name in sorted(gone - set(inherited)):
            message = f"is null, but there is none to take away{nearest(name, inherited)}"
            raise UserError(own.error([section, name], message))
        both = inherited | entries
        merged.data[section] = {name: entry for name, entry in both.items() if name not in gone}
    return merged


def _parse(path):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None
    document = Document(path)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        document.data = {} if node is None else _value(loader, node, (), document)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:  # such as `!!int x`
        raise UserError(f"{path} has a value that is not what its tag says: {error}") from None
    except RecursionError:
        raise UserError(f"{path} has an alias that contains itself") from None
    if not isinstance(document.data, dict):
        raise UserError(f"{path} must be a mapping with the keys study, models, sources, ...")
    return document


def _value(loader, node, path, document):
    document.places.setdefault(path, (document.file, node.start_mark.line + 1))
    if node.id != "scalar" and node.tag not in PLAIN:
        raise UserError(document.error(path, f"has the tag {node.tag}: write plain YAML"))
    if isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        return [_value(loader, item, (*path, number), document) for number, item in items]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    result, lines = {}, {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = None if key_node.id != "scalar" else loader.construct_object(key_node)
        if not isinstance(key, str):
            written = getattr(key_node, "value", "a list or mapping")
            raise UserError(
                f"{document.file}:{line}: {spell(path) or 'the file'} has the key {written},"
                f' which is not text: write "{written}" in quotes'
            )
        if key in result:
            raise UserError(
                f"{document.file}:{line}: {spell((*path, key))} is given twice:"
                f" it is on line {lines[key]} already"
            )
        lines[key] = line
        document.places[(*path, key)] = (document.file, line)
        result[key] = _value(loader, value_node, (*path, key), document)
    return result


def from_text(value):
    """A value with numbers in it that Snakemake's `--config` made text."""
    if isinstance(value, dict):
        return {key: from_text(entry) for key, entry in value.items()}
    return yaml.load(str(value), Loader)


def spell(path):
    """Keys as one writes them: ("runs", "a", 0) is "runs.a[0]"."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).removeprefix(".")


def unknown(kind, name, known):
    """What to say of a reference to nothing: the names that there are, and the nearest."""
    listed = ", ".join(sorted(known))
    near = nearest(name, known)
    return f"is {name!r}, but there is no {kind} of that name; there are: {listed}{near}"


def nearest(name, names):
    """The question whether another name was meant, if one is alike; else nothing."""
    near = difflib.get_close_matches(str(name), [str(n) for n in names], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
