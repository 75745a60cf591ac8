"""YAML files read strictly, with the place of every entry kept for the error messages.

Scalars follow YAML 1.2's core schema, so that `1e-4` is a number, `no` is a word (PyYAML's YAML
1.1 makes them a word and `false`) and a date is the text that was written. PyYAML's C parser is in
every environment and reads a config of 1,000 runs in a blink, where ruamel.yaml, which knows YAML
1.2 by itself, keeps lines in pure Python only and takes seconds.
"""

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from emaki.common.errors import UserError, nearest
from emaki.common.files import is_special
from emaki.common.messages import Keys, spell

Events = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Sections whose entries have names that the user chooses.
NAMED = (
    *("models", "measures", "sources", "captions"),
    *("datasets", "prompts", "runs", "experiments"),
)
LARGEST = 20_000_000  # bytes of a file
DEEPEST = 50  # lists and mappings in each other
BITS = 63  # of an integer: what C code takes
TAG = "tag:yaml.org,2002:"
PATTERNS = {
    "null": re.compile(r"~|null|"),
    "bool": re.compile(r"true|false"),
    "int": re.compile(r"[-+]?(0|[1-9][0-9_]*)"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
}


@dataclass
class Document:
    """What a file says (`data`), where (`places`: path of keys to file and line) and, once runs are
    resolved, what each run says itself (`own`)."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[tuple[str | int, ...], tuple[str, int]] = field(default_factory=dict)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)

    def error(self, path: Keys, message: str) -> str:
        """A sentence about the entry at `path`, with the place it is from.

        `message` goes on after the entry's name: "is missing".
        """
        path = tuple(path)
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.places), ())
        file, line = self.places.get(known, (self.file, 1))
        return _on_one_line(f"{file}:{line}: {spell(path) or 'the config'} {message}")

    def replace(self, section: str, value: Any, file: str) -> None:
        """Put `value`, which is from another file, in the place of a whole section."""
        self.data[section] = from_text(value)
        kept = {path: place for path, place in self.places.items() if path[:1] != (section,)}
        self.places = kept | {(section,): (file, 1)}

    def says_itself(self, path: Keys) -> bool:
        """Whether `path` is not within a key that a run inherits by `extends`."""
        if len(path) < 3 or path[0] != "runs":
            return True
        run = self.own.get(str(path[1]), {})
        return path[2] in run or run.get("extends") is None


def read(path: str | Path) -> Document:
    """Read a config file and what it `extends`, as a Document.

    An entry of a section (a run, a source; a key of `sampling`) replaces the inherited entry of
    that name whole; null takes it away. Raises UserError with the file and line where the text
    is not YAML, a key comes twice, or the files extend each other in a circle.
    """
    files: dict[str, Document] = {}
    following: str | None = os.path.normpath(path)
    while following is not None:
        if following in files:
            raise UserError(f"{following} extends itself: {' -> '.join([*files, following])}")
        files[following] = own = _parse(following)
        following = _base_of(own)
    *extending, document = files.values()
    for own in reversed(extending):
        document = _merge(document, own)
    return document


def _base_of(own: Document) -> str | None:
    """The path of the file that a Document extends, a key that is taken away from it."""
    base = own.data.pop("extends", None)
    if base is None:
        return None
    if not isinstance(base, str):
        raise UserError(own.error(["extends"], "is not the path of another config file"))
    path = os.path.join(os.path.dirname(own.file), base)
    if not os.path.isfile(path):
        raise UserError(own.error(["extends"], f"is {path}, which is no file"))
    return os.path.normpath(path)


def _merge(base: Document, own: Document) -> Document:
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


def _parse(path: str) -> Document:
    if is_special(path):  # reading it may wait for ever
        raise UserError(f"{path} is no regular file")
    try:
        if (size := os.path.getsize(path)) > LARGEST:
            raise UserError(f"{path} has {size:,} bytes, but a config has at most {LARGEST:,}")
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None
    return parse(text, path)


def parse(text: str, file: str) -> Document:
    """The Document of a text, which is that of `file`. Raises UserError as `read` does."""
    document = Document(file)
    try:
        data = _Parser(text, document).read()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{file}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise UserError(f"{file} must be a mapping with the keys study, models, sources, ...")
    document.data = data
    return document


class _Parser:
    """The values of a YAML text from the parser's events; their places go to a Document.

    What an alias stands for has the places of the alias.
    """

    def __init__(self, text: str, document: Document) -> None:
        self.events = Events(text)
        self.document = document
        self.anchors: dict[str, Any] = {}

    def read(self) -> Any:
        """The value of the text, which is one YAML document."""
        self.events.get_event()  # the stream's start
        if self.events.check_event(yaml.StreamEndEvent):
            return {}
        self.events.get_event()  # the document's start
        value = self._value(())
        self.events.get_event()  # the document's end
        if not self.events.check_event(yaml.StreamEndEvent):
            raise self._error((), "is followed by another document: write one", self._line())
        return value

    def _line(self) -> int:
        return self.events.peek_event().start_mark.line + 1

    def _error(self, path: Keys, message: str, line: int) -> UserError:
        told = f"{self.document.file}:{line}: {spell(path) or 'the file'} {message}"
        return UserError(_on_one_line(told))

    def _value(self, path: tuple[str | int, ...]) -> Any:
        line = self._line()
        self.document.places.setdefault(path, (self.document.file, line))
        event = self.events.get_event()
        if isinstance(event, yaml.AliasEvent):
            if self.anchors.get(event.anchor, self) is self:
                raise self._error(path, f"has an alias that contains itself: *{event.anchor}", line)
            return self.anchors[event.anchor]
        if event.anchor:
            self.anchors[event.anchor] = self  # until it is whole
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif event.tag not in (None, "!", f"{TAG}map", f"{TAG}seq"):
            raise self._error(path, f"has the tag {event.tag}: write plain YAML", line)
        elif len(path) == DEEPEST:
            raise self._error(path[:3], f"has more than {DEEPEST} levels of nesting", line)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(path)
        else:
            value = self._mapping(path)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _list(self, path: tuple[str | int, ...]) -> list[Any]:
        found: list[Any] = []
        while not self.events.check_event(yaml.SequenceEndEvent):
            found.append(self._value((*path, len(found))))
        self.events.get_event()
        return found

    def _mapping(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.events.check_event(yaml.MappingEndEvent):
            line = self._line()
            event = self.events.get_event()
            is_scalar = isinstance(event, yaml.ScalarEvent)
            key = self._scalar(event, path) if is_scalar else None
            if not isinstance(key, str):
                told = event.value if is_scalar else "that is an alias, a list or a mapping"
                hint = f': write "{told}" in quotes' if is_scalar else ""
                raise self._error(path, f"has the key {told}, which is not text{hint}", line)
            where = (*path, key)
            if key in found:
                first = self.document.places[where][1]
                raise self._error(where, f"is given twice: it is on line {first} already", line)
            self.document.places[where] = (self.document.file, line)
            found[key] = self._value(where)
        self.events.get_event()
        return found

    def _scalar(self, event: yaml.ScalarEvent, path: Keys) -> Any:
        line = event.start_mark.line + 1
        plain, _ = event.implicit
        kind = _kind(event.value) if plain else "str"
        if event.tag not in (None, "!"):
            wanted = event.tag.removeprefix(TAG)
            kind = "float" if (wanted, kind) == ("float", "int") else kind
            if wanted not in ("str", *PATTERNS):
                raise self._error(path, f"has the tag {event.tag}: write plain YAML", line)
            if wanted not in ("str", _kind(event.value), kind):
                told = f"{event.value!r} as !!{wanted}"
                raise self._error(path, f"has a value that is not what its tag says: {told}", line)
            kind = wanted
        try:
            return _converted(event.value, kind)
        except ValueError:
            told = event.value if len(event.value) <= 20 else f"{event.value[:20]}..."
            problem = f"is {told}, which is too large a number"
            raise self._error(path, problem, line) from None


def _on_one_line(told: str) -> str:
    """A sentence whose quoted values have no line breaks, nor what a terminal would obey."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in told)


def _kind(text: str) -> str:
    """What a word without quotes is."""
    return next((kind for kind, pattern in PATTERNS.items() if pattern.fullmatch(text)), "str")


def _converted(text: str, kind: str) -> Any:
    """A scalar of this kind. Raises ValueError for a number that is too large."""
    if kind == "null":
        return None
    if kind == "bool":
        return text == "true"
    if kind == "int":
        whole = int(text)
        if whole.bit_length() > BITS:
            raise ValueError
        return whole
    if kind == "float":
        number = float(text.replace("_", ""))
        if math.isinf(number):
            raise ValueError
        return number
    return text


def from_text(value: Any) -> Any:
    """A value with numbers in it that Snakemake's `--config` made text."""
    if isinstance(value, dict):
        return {key: from_text(entry) for key, entry in value.items()}
    return _converted(value, _kind(value)) if isinstance(value, str) else value


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """What to say of a reference to nothing: the names that there are, and the nearest."""
    names = sorted(known)
    return (
        f"is {name!r}, but there is no {kind} of that name; there are: {', '.join(names)}"
        f"{nearest(name, names)}"
    )
