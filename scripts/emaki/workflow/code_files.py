"""Which of the project's own files a script runs: the inputs that invalidate what it makes.

Rules do not depend on the files themselves, but on a small file for each, which says what its code
does: a comment or another layout makes nothing again.
"""

import functools
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from emaki.common import python_code
from emaki.common.files import sha256
from emaki.common.plugins import Kind, is_file
from emaki.common.python_code import Code

SCRIPTS = Path(__file__).parents[2]
FOLDER = ".snakemake/emaki"
SUFFIX = ".code"


class Reader:
    """Reads each file of code once for each content, in this start and in those that follow."""

    def __init__(self, kept: str) -> None:
        self.kept = Path(kept)
        self.new = False

    @functools.cached_property
    def known(self) -> dict[str, list]:
        """{path: [digest of its bytes, of its meaning, imports]} of earlier starts."""
        try:
            known = json.loads(self.kept.read_text())
        except (OSError, ValueError):
            return {}
        # what another version of this program has found
        return known["files"] if known["by"] == sha256(python_code.__file__) else {}

    def read(self, path: Path) -> Code:
        """What is in a file of code."""
        digest = sha256(path)
        of, *code = self.known.get(str(path), [None])
        if of != digest:
            code = list(python_code.read(path))
            self.known[str(path)] = [digest, *code]
            self.new = True
        return Code(*code)

    def keep(self) -> None:
        """Write down what is new."""
        if self.new:
            text = json.dumps({"by": sha256(python_code.__file__), "files": self.known})
            _write(self.kept, text)
            self.new = False


_reader = Reader(f"{FOLDER}/code.json")


def code_with(script: str, kind: Kind, types: Iterable[str]) -> list[str]:
    """The inputs that stand for the code that a script runs with plug-ins of these types."""
    names = sorted({kind.module_name(type_) for type_ in types})
    own = [name for name in names if is_file(name)]
    modules = [name for name in names if name not in own]
    # the config's paths count from where Snakemake runs
    return [*code_of(script, *modules, *map(os.path.abspath, own)), *map(digest_of, own)]


def code_of(script: str, *modules: str) -> list[str]:
    """The inputs that stand for the code that a script runs, with these modules beside it."""
    return list(_code_of(script, *modules))


@functools.cache  # asked for every job
def _code_of(script: str, *modules: str) -> tuple[str, ...]:
    return tuple(digest_of(name) for name in (script, *modules_of(script, *modules)))


@functools.cache
def digest_of(file: str) -> str:
    """The input that stands for a file of code, made here. It changes when the code does."""
    inside = not os.path.isabs(file) and ".." not in Path(file).parts
    elsewhere = f"elsewhere/{hashlib.sha256(file.encode()).hexdigest()[:12]}-{Path(file).name}"
    path = Path(FOLDER, "code", f"{file if inside else elsewhere}{SUFFIX}")
    text = f"{file}\n{_reader.read(SCRIPTS.parent / file).meaning}\n"
    if not path.is_file() or path.read_text() != text:  # its date is that of the last change
        _write(path, text)
    return str(path)


def write_digests(types: Iterable[str] = ()) -> None:
    """Make the inputs that stand for all code, those of plug-ins of these types that are the user's
    own files among it, before Snakemake plans.

    It lists a folder once when it plans: what is made there later is missing to it, or unchanged.
    """
    code = sorted([*SCRIPTS.glob("*.py"), *SCRIPTS.glob("emaki/**/*.py")])
    ours = [str(path.relative_to(SCRIPTS.parent)) for path in code]
    for file in (*ours, *filter(is_file, types)):
        digest_of(file)
    _reader.keep()


def is_code(path: str) -> bool:
    """Whether an input of a job stands for code."""
    return path.endswith(SUFFIX) and path.startswith(f"{FOLDER}/code/")


def file_of(digest: str) -> str:
    """The file of code that an input stands for, or stood for."""
    try:
        return Path(digest).read_text().splitlines()[0]
    except (OSError, IndexError):
        return digest.removeprefix(f"{FOLDER}/code/").removesuffix(SUFFIX)


def summary_of(digests: Iterable[str]) -> str:
    """A digest of the code that inputs stand for, for what is kept under what made it."""
    return _summary_of(tuple(digests))


@functools.cache
def _summary_of(digests: tuple[str, ...]) -> str:
    texts = "".join(Path(path).read_text() for path in digests)
    return hashlib.sha256(texts.encode()).hexdigest()


def modules_of(*scripts: str) -> list[str]:
    """The files of the package `emaki` that scripts (paths) or modules import, sorted.

    Followed through every import statement, inside functions too, but not through names that are
    computed at run time: pass such a module ("emaki.data.sources.rooms") beside the script.
    """
    found: set[Path] = set()
    waiting = [path for name in scripts for path in _files(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported_files(path)
    _reader.keep()
    package = SCRIPTS / "emaki"
    root = SCRIPTS.parent
    ours = (str(path.relative_to(root)) for path in found if path.is_relative_to(package))
    return sorted(ours)


@functools.cache
def _imported_files(path: Path) -> tuple[Path, ...]:
    """The files that import statements in the file may mean."""
    return tuple(file for name in _reader.read(path).imports for file in _files(name))


def _files(name: str) -> list[Path]:
    """The files that a script's path or a dotted module name stands for, packages included."""
    if name.endswith(".py"):
        return [SCRIPTS.parent / name]
    if name.split(".")[0] != "emaki":
        return []
    path = SCRIPTS.joinpath(*name.split("."))
    parents = [path, *path.parents][: len(name.split("."))]
    files = [parent / "__init__.py" for parent in parents] + [path.with_suffix(".py")]
    return [file for file in files if file.is_file()]


def _write(path: Path, text: str) -> None:
    """Write a file whole. A loss of power may take it: the next start makes it anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
