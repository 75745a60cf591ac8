"""Pin everything: requirements.txt and envs/{role}.yaml from envs/roles.yaml.

    python envs/lock.py            write them, with the versions that are installed here
    python envs/lock.py --check    fail if they are not what roles.yaml and requirements.txt say

The packages that a role needs are followed through the metadata of the installed ones.
"""

import argparse
import importlib.metadata
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVS = Path(__file__).parent
LOCK = ENVS.parent / "requirements.txt"
HEADER = "# Generated from envs/roles.yaml by `make lock`; do not edit.\n"
PYTHON = "3.11"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in generated().items() if not update(path, text, check)]
    if stale:
        sys.exit(f"error: {', '.join(map(str, stale))} are not up to date: run `make lock`")


def generated():
    """{path: text} of all the files that follow from roles.yaml."""
    declared = yaml.safe_load((ENVS / "roles.yaml").read_text())
    roles = declared["roles"]
    everything = [*declared["tools"], *(name for names in roles.values() for name in names)]
    lock = HEADER + "".join(f"{pin}\n" for pin in pins(everything))
    return {LOCK: lock} | {ENVS / f"{role}.yaml": env(names) for role, names in roles.items()}


def update(path, text, check):
    """Write a file, or only say whether it is up to date."""
    if check:
        return path.exists() and path.read_text() == text
    path.write_text(text)
    return True


def env(names):
    """A conda environment with exact pins, as YAML."""
    pip = "".join(f"      - {pin}\n" for pin in pins(names))
    return (
        f"{HEADER}channels:\n  - conda-forge\n  - nodefaults\ndependencies:\n"
        f"  - python={PYTHON}\n  - pip\n  - pip:\n{pip}"
    )


def pins(requirements):
    """`name==version` of requirements and of all that they need, sorted."""
    found, waiting = {}, [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        needed = found.setdefault(name, set())
        if requirement.extras <= needed and needed:
            continue
        needed |= {"", *requirement.extras}
        waiting += below(name, needed)
    return [f"{name}=={version(name)}" for name in sorted(found)]


def below(name, extras):
    """What an installed package with these extras requires here."""
    requires = map(Requirement, importlib.metadata.requires(name) or [])
    return [
        requirement
        for requirement in requires
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def version(name):
    """The installed version without its build label (2.13.0 for 2.13.0+cpu)."""
    return importlib.metadata.version(name).partition("+")[0]


if __name__ == "__main__":
    main()
