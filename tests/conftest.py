"""Tests import the package as the scripts do."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# the package; what runs jobs; a study's results and its screenshots
PLACES = [ROOT / "scripts", ROOT / "scripts/jobs", ROOT / "scripts/tools", ROOT / "tests/report"]
sys.path[:0] = map(str, PLACES)
os.environ["PYTHONPATH"] = str(ROOT / "scripts")  # as `make` sets it
