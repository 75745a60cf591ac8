"""Pinned packages are compared with a folder of advisories."""

import subprocess
import sys
from pathlib import Path

import audit
import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
ADVISORY = """
id: PYSEC-2026-1
modified: 2026-01-02T03:04:05Z
aliases: [CVE-2026-1]
affected:
- package: {ecosystem: PyPI, name: %s}
  ranges:
  - type: GIT
    events: [{introduced: "0"}, {fixed: 33ccdfb}]
  - type: ECOSYSTEM
    events: [{introduced: "0"}, {fixed: "%s"}]
  versions: ["0.1", "not a version"]
"""


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("1.0", [{"introduced": "0"}, {"fixed": "1.1"}], True),
        ("1.1", [{"introduced": "0"}, {"fixed": "1.1"}], False),
        ("1.1", [{"introduced": "1.1"}], True),
        ("1.1", [{"introduced": "0"}, {"last_affected": "1.1"}], True),
        ("1.1.post1", [{"introduced": "0"}, {"last_affected": "1.1"}], False),
        ("2.1", [{"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}, {"fixed": "3"}], True),
        ("1.5", [{"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}, {"fixed": "3"}], False),
    ],
)
def test_ranges(version, events, expected):
    affected = {"ranges": [{"type": "ECOSYSTEM", "events": events}]}
    assert audit.applies(affected, Version(version)) is expected


def test_listed_versions_count_whatever_their_spelling():
    assert audit.applies({"versions": ["1.0.0"]}, Version("1.0"))


@pytest.mark.parametrize(("fixed", "status"), [("999", 1), ("0.0.1", 0)])
def test_a_pinned_package_is_told_with_what_corrects_it(tmp_path, fixed, status):
    path = tmp_path / "vulns/pillow/PYSEC-2026-1.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(ADVISORY % ("Pillow", fixed))
    path.with_name("PYSEC-2026-2.yaml").write_text(
        ADVISORY % ("pillow", "999") + "withdrawn: 2026-02-01T00:00:00Z\n"
    )
    done = run(tmp_path)
    assert done.returncode == status, done.stderr
    assert ("PYSEC-2026-1, CVE-2026-1; fixed in 999" in done.stdout) == bool(status)
    assert f"1 advisories about them, the newest of 2026-01-02: {status} apply" in done.stdout


def test_another_folder_is_told(tmp_path):
    assert "has no folder vulns: give a copy of pypa/advisory-database" in run(tmp_path).stderr


def run(folder):
    command = [sys.executable, ROOT / "scripts/tools/audit.py", "--advisories", folder]
    return subprocess.run(command, capture_output=True, text=True)
