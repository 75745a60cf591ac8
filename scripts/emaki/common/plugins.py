"""One way to plug in: a source, a captioner or a measure is one module with one class.

The `type` of an entry of the config names it: a module of the folder of its kind, with - for _, or
the path of a .py file outside the package. The module holds one class that is derived from the base
of its kind; an object of that class is the entry itself, with its settings, and does the work.
"""

import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from emaki.common.errors import UserError
from emaki.common.settings import Settings


class Kind(NamedTuple):
    """A kind of plug-in: what one calls it, the package with its modules, and the base class."""

    noun: str
    package: str
    base: type[Settings]

    def names(self) -> list[str]:
        """The types that the package has, as a config names them."""
        folder = importlib.import_module(self.package).__path__
        found = (module.name for module in pkgutil.iter_modules(folder))
        return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))

    def module_name(self, type_: str) -> str:
        """What stands for a plug-in among a job's code: a dotted module name, or its own file."""
        return type_ if is_file(type_) else f"{self.package}.{type_.replace('-', '_')}"

    def find(self, type_: str) -> type[Settings]:
        """The class of a type.

        Raises UserError, a sentence that goes on after the key, for a type that there is not and
        for a file without one class of this kind.
        """
        if not is_file(type_) and type_ not in self.names():
            raise UserError(f"is {type_!r}, but there is no {self.noun} of that type")
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

    def read(self, entry: dict) -> Settings:
        """The object of an entry of a loaded config, which names its type. A job calls this."""
        return self.find(entry["type"]).model_validate(entry)


def is_file(type_: str) -> bool:
    """Whether a type is the path of a file outside the package."""
    return type_.endswith(".py")


@functools.cache
def _load_file(path: str) -> ModuleType:
    if not Path(path).is_file():
        raise UserError(f"is {path}, which is no file")
    name = f"emaki_plugin_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
