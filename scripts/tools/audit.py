"""Compare every pinned package with a folder of known vulnerabilities. Asks no network.

The folder is a copy of the Python Packaging Advisory Database (pypa/advisory-database on GitHub): a
YAML file in the OSV format for each advisory, in vulns/{package}/. Exit status 1 where one applies.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from packaging.version import InvalidVersion, Version

from emaki.common.errors import UserError, friendly

ROOT = Path(__file__).parents[2]
FILES = ("envs/lock.txt", "envs/lock-training-xformers.txt")


class Found(NamedTuple):
    """An advisory that applies to a pinned package."""

    package: str
    version: str
    names: list[str]
    fixed: list[str]
    """Versions that have a correction, as far as the advisory knows."""


@friendly
def main() -> None:
    arguments = parse_arguments()
    pins = set().union(*(pinned((ROOT / file).read_text("utf-8")) for file in FILES))
    advisories = list(read(arguments.advisories, {name for name, _ in pins}))
    found = sorted(one for pin in pins for one in compare(*pin, advisories))
    for package, version, names, fixed in found:
        print(f"{package} {version}: {', '.join(names)}; fixed in {', '.join(fixed) or 'none yet'}")
    newest = max((str(about.get("modified", "")) for about in advisories), default="none")[:10]
    print(
        f"{len(pins)} pinned versions, {len(advisories)} advisories about them, the newest of "
        f"{newest}: {len(found)} apply"
    )
    sys.exit(bool(found))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--advisories", type=Path, required=True, help="folder of the database")
    return parser.parse_args()


def pinned(text: str) -> set[tuple[str, str]]:
    """{(package, version)} of a file of requirements, names as the database writes them."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found}


def read(folder: Path, packages: set[str]) -> Iterator[dict[str, Any]]:
    """The advisories about these packages that nobody has withdrawn."""
    if not (folder / "vulns").is_dir():
        raise UserError(f"{folder} has no folder vulns: give a copy of pypa/advisory-database")
    for package in sorted(packages):
        for path in sorted((folder / "vulns" / package).glob("*.yaml")):
            about = yaml.safe_load(path.read_text("utf-8"))
            if "withdrawn" not in about:
                yield about


def compare(package: str, version: str, advisories: list[dict[str, Any]]) -> Iterator[Found]:
    """The advisories that apply to a version of a package."""
    for about in advisories:
        for affected in about.get("affected", []):
            own = re.sub(r"[-_.]+", "-", affected["package"]["name"]).lower()
            if own == package and applies(affected, Version(version)):
                fixed = [event["fixed"] for event in _events(affected) if "fixed" in event]
                yield Found(package, version, [about["id"], *about.get("aliases", [])], fixed)


def applies(affected: Mapping[str, Any], version: Version) -> bool:
    """Whether a version is among those of an advisory, by its list or by its ranges."""
    if version in map(_version, affected.get("versions", [])):
        return True
    inside = False
    # events stand in the order of versions
    for event in _events(affected):
        ((kind, value),) = event.items()
        limit = _version(value)
        if limit is None:
            continue
        if kind == "introduced" and version >= limit:
            inside = True
        elif (kind == "fixed" and version >= limit) or (
            kind == "last_affected" and version > limit
        ):
            inside = False
    return inside


def _events(affected: Mapping[str, Any]) -> list[dict[str, str]]:
    ranges = affected.get("ranges", [])
    return [event for one in ranges if one["type"] == "ECOSYSTEM" for event in one["events"]]


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:  # old ones that PyPI takes no more
        return None


if __name__ == "__main__":
    main()
