"""Print the licence of every pinned package, as its own metadata tell it."""

import re
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"


def main() -> None:
    for name, version in pinned(REQUIREMENTS.read_text("utf-8")).items():
        print(f"{name:32} {version:14} {licence(name)}")


def pinned(text: str) -> dict[str, str]:
    """{package: version} of a file of requirements."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def licence(name: str) -> str:
    """What a package says of its licence: the expression, else its classifiers, else a text."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed on this platform"
    classes = [entry for entry in about.get_all("Classifier", []) if entry.startswith("License")]
    said = about.get("License-Expression") or "; ".join(c.rpartition(" :: ")[2] for c in classes)
    first_line = (about.get("License") or "").strip().partition("\n")[0]
    return said or first_line or f"says nothing; it has {files(name) or 'no licence file'}"


def files(name: str) -> str:
    """The names of the licence files that are installed with a package."""
    paths = metadata.files(name) or []
    return ", ".join(path.name for path in paths if re.match("(?i)licen[cs]e|copying", path.name))


if __name__ == "__main__":
    main()
