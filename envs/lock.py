"""Pin everything, with hashes: envs/lock*.txt from envs/roles.yaml, and what follows from them.

    python envs/lock.py            resolve with uv (needs a network) and write all files
    python envs/lock.py --upgrade  the same, to the newest versions that roles.yaml allows
    python envs/lock.py --check    fail if a file is not what roles.yaml and the locks say

A lock names every package for every platform, the hashes of all files of its release, and what
needs it. envs/{role}.yaml is the part of a lock that a role needs. requirements.txt has the same
versions without hashes: envs/README.md says why.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVS = Path(__file__).parent
ROOT = ENVS.parent
HEADER = "# Generated from envs/roles.yaml by `make lock`; do not edit.\n"
PYTHON = "3.11"
# What a CUDA build of torch brings along, and a CPU build does not have.
CUDA = re.compile(r"cuda-|nvidia-|triton$")
DECLARED = "-r -"  # uv's word for: named in its input


@dataclass
class Pin:
    """A package in a lock: `text` is name==version, maybe with a marker."""

    text: str
    hashes: list
    needed_by: set

    @property
    def name(self):
        return canonicalize_name(Requirement(self.text).name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--upgrade", action="store_true")
    arguments = parser.parse_args()
    declared = yaml.safe_load((ENVS / "roles.yaml").read_text())
    if not arguments.check:
        resolve(declared, arguments.upgrade)
    problems = [problem for lock in locks(declared) for problem in disagreements(*lock)]
    files = generated(declared)
    problems += [str(p) for p, text in files.items() if not update(p, text, arguments.check)]
    if problems:
        sys.exit(f"error: {', '.join(problems)}: not up to date, run `make lock`")


def locks(declared):
    """(file, {role: requirements}) of each lock; the first one has the tools too."""
    together = {**declared["roles"], "tools": declared["tools"]}
    return [(ENVS / "lock.txt", together)] + [
        (ENVS / f"lock-{role}.txt", {role: names}) for role, names in declared["apart"].items()
    ]


def resolve(declared, upgrade):
    """Write the locks. One apart has the first one's versions, but for torch and its CUDA."""
    (first, _), *_ = all_locks = locks(declared)
    for path, roles in all_locks:
        command = ["uv", "pip", "compile", "-", "--universal", "--python-version", PYTHON]
        command += ["--generate-hashes", "--annotation-style", "line", "--no-header", "--quiet"]
        command += ["--output-file", path, *(["--upgrade"] if upgrade else [])]
        wanted = {name for names in roles.values() for name in names}
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            if path != first:
                same = [p.text for p in read(first) if not CUDA.match(p.name) and p.name != "torch"]
                constraints.write("\n".join(same))
                constraints.flush()
            command += ["--constraint", constraints.name]
            text = "\n".join(sorted(wanted))
            done = subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"error: uv found no versions for {path}")
        # the constraints' place would be another one next time
        text = re.sub(r"(, )?-c \S+?(?=,|$)|(?<=via )-c \S+, ", "", path.read_text(), flags=re.M)
        path.write_text(HEADER + text.removeprefix(HEADER))


def read(path):
    """The pins of a lock, in its order."""
    found = []
    for line in path.read_text().replace("\\\n", "").splitlines():
        text, *hashes = re.split(r"\s+--hash=", line)
        if line.startswith("    # via "):
            found[-1].needed_by = set(line.removeprefix("    # via ").split(", "))
        elif not line.startswith("#"):
            found.append(Pin(text.strip(), [value.strip() for value in hashes], set()))
    return found


def disagreements(path, roles):
    """What a lock and the roles say differently, as short texts."""
    pins = {pin.name: pin for pin in read(path)}
    wanted = [Requirement(text) for names in roles.values() for text in names]
    names = {canonicalize_name(requirement.name) for requirement in wanted}
    for requirement in wanted:
        pin = pins.get(canonicalize_name(requirement.name))
        version = pin and Requirement(pin.text).specifier
        if not pin or not requirement.specifier.contains(str(version).removeprefix("==")):
            yield f"{path.name} without {requirement}"
    for pin in pins.values():
        if DECLARED in pin.needed_by and pin.name not in names:
            yield f"{path.name} with {pin.text}"


def generated(declared):
    """{path: text} of all the files that follow from the locks."""
    files = {}
    for path, roles in locks(declared):
        pins = read(path)
        files |= {ENVS / f"{role}.yaml": env(below(names, pins)) for role, names in roles.items()}
    del files[ENVS / "tools.yaml"]
    plain = [pin.text for pin in read(ENVS / "lock.txt") if not CUDA.match(pin.name)]
    return {ROOT / "requirements.txt": HEADER + "".join(f"{text}\n" for text in plain), **files}


def below(requirements, pins):
    """The pins that are required or are needed by one that is."""
    wanted = {canonicalize_name(Requirement(text).name) for text in requirements}
    size = 0
    while len(wanted) > size:
        size = len(wanted)
        wanted |= {pin.name for pin in pins if pin.needed_by & wanted}
    return [pin for pin in pins if pin.name in wanted]


def env(pins):
    """A conda environment with exact pins and hashes, as YAML."""
    pip = "".join(f"      - {quoted(pin)}\n" for pin in pins)
    return (
        f"{HEADER}channels:\n  - conda-forge\n  - nodefaults\ndependencies:\n"
        f"  - python={PYTHON}\n  - pip\n  - pip:\n{pip}"
    )


def quoted(pin):
    """A line of pip's as a YAML string: markers have quotes of their own."""
    return (
        yaml.safe_dump(
            " ".join([pin.text, *(f"--hash={value}" for value in pin.hashes)]), width=10**9
        )
        .removesuffix("\n...\n")
        .strip()
    )


def update(path, text, check):
    """Write a file, or only say whether it is up to date."""
    if check:
        return path.exists() and path.read_text() == text
    path.write_text(text)
    return True


if __name__ == "__main__":
    main()
