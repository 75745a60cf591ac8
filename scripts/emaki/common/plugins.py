"""One way to plug in: a source, a captioner or a measure is one module with one class.

The `type` of an entry of the config names it: a module of the folder of its kind, with - for _, or
the path of a .py file outside the package. The module holds one class that is derived from the base
of its kind; an object of that class is the entry itself, with its settings, and does the work.
"""

import functools
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from emaki.common.errors import UserError, nearest
from emaki.common.settings import Settings

S = TypeVar("S", bound=Settings)


class Kind(NamedTuple, Generic[S]):
    """A kind of plug-in: what one calls it, the package with its modules, and the base class."""

    noun: str
    package: str
    base: type[S]

    def names(self) -> list[str]:
        """The types that the package has, as a config names them."""
        folder = importlib.import_module(self.package).__path__
        found = (module.name for module in pkgutil.iter_modules(folder))
        return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))

    def module_name(self, type_: str) -> str:
        """What stands for a plug-in among a job's code: a dotted module name, or its own file."""
        return type_ if is_file(type_) else f"{self.package}.{type_.replace('-', '_')}"

    def find(self, type_: str) -> type[S]:
        """The class of a type.

        Raises UserError, a sentence that goes on after the key, for a type that there is not and
        for a file without one class of this kind.
        """
        if not is_file(type_) and type_.replace("_", "-") not in self.names():
            known = self.names()
            raise UserError(
                f"is {type_!r}, but there is no {self.noun} of that type; there are: "
                f"{', '.join(known)}, or the path of a .py file{nearest(type_, known)}"
            )
        module = (
            _load_file(type_)
            if is_file(type_)
            else importlib.import_module(self.module_name(type_))
        )
        found = [
            entry
            for entry in vars(module).values()
            if inspect.isclass(entry)
            and issubclass(entry, self.base)
            and entry.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise UserError(
                f"is {type_}, which has {len(found)} classes derived from {self.base.__name__}: "
                "it must have one"
            )
        return found[0]

    def read(self, entry: dict[str, Any]) -> S:
        """The object of an entry of a loaded config, which names its type. A job calls this."""
        return self.find(entry["type"]).model_validate(entry)


@dataclass(frozen=True)
class PluggedIn:
    """Marks a value that is an object of a plug-in's class, which its key `type` names."""

    kind: Kind[Any]

    def read(self, entry: Any) -> Settings:
        """The object of an entry as it is written. Raises ValidationError where it is wrong."""
        if isinstance(entry, self.kind.base):
            return entry
        if not isinstance(entry, dict):
            raise _error("dict_type", (), entry)
        if "type" not in entry:
            raise _error("missing", ("type",), entry)
        if not isinstance(entry["type"], str):
            raise _error("string_type", ("type",), entry["type"])
        try:
            return self.kind.read(entry)
        except UserError as error:
            told = PydanticCustomError("plug_in", "{told}", {"told": str(error)})
            raise _error(told, ("type",), entry["type"]) from None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(_as_json),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Any of the package's classes; of a file's keys nothing is known."""
        type_ = {"type": "string", "pattern": r"\.py$"}
        found = [{"type": "object", "required": ["type"], "properties": {"type": type_}}]
        for name in self.kind.names():
            entry = handler(self.kind.find(name).__pydantic_core_schema__)
            properties = entry["properties"] | {
                "type": {"enum": sorted({name, name.replace("-", "_")})}
            }
            required = ["type", *(key for key in entry.get("required", ()) if key != "type")]
            found.append(entry | {"properties": properties, "required": required})
        return {"oneOf": found}


def _as_json(entry: Settings) -> dict[str, Any]:
    return entry.model_dump(mode="json")


def _error(
    type_: str | PydanticCustomError, path: tuple[str, ...], value: object
) -> ValidationError:
    details = InitErrorDetails(type=type_, loc=path, input=value)
    return ValidationError.from_exception_data("plug-in", [details])


def is_file(type_: str) -> bool:
    """Whether a type is the path of a file outside the package."""
    return type_.endswith(".py")


@functools.cache
def _load_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise UserError(f"is {path}, which is no file")
    name = f"emaki_plugin_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever is wrong with the user's file
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"is {path}, which cannot be imported ({reason})") from error
    return module
