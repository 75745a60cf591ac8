"""The environments agree with their locks and with what the jobs that run in them import."""

import ast
import functools
import importlib.metadata
import re
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emaki.captioners import KIND as CAPTIONERS
from emaki.data.sources import KIND as SOURCES
from emaki.evaluation.measures import KIND as MEASURES
from emaki.workflow.code_files import SCRIPTS, modules_of

ROOT = SCRIPTS.parent
ENVS = ROOT / "envs"
ROLES = sorted(path.stem for path in ENVS.glob("*.yaml") if path.stem != "roles")
# A rule's name, script and environment; `use rule` takes them over from its rule.
RULE = re.compile(r"^rule (\w+):\n((?:(?:    .*)?\n)*)", re.MULTILINE)
# Rules that only name targets
TARGETS = {"all", "tiny"}
# Rules whose environment the settings name: a run's attention, the class of a plug-in
NAMED_BY_SETTINGS = {
    "train": "training",
    "caption": "data",
    "caption_by_model": "captioning",
    "score": "evaluation",
    "calibrate": "evaluation",
    "calibrate_real": "evaluation",
    "reference": "evaluation",
}
# diffusers and transformers use these behind our back, and matplotlib's files are read
IMPLIED = {
    "data": {"matplotlib"},
    "report": {"matplotlib"},
    "training": {"accelerate"},
    "training-xformers": {"accelerate", "xformers"},
}
# Imported by functions that a role's jobs do not call: only trainers read a corpus as tensors, and
# only who trains or draws loads the models of a family
UNUSED = {"data": {"torch", "diffusers"}, "report": {"torch", "diffusers"}}


@functools.cache
def pins(role):
    """{package: line} of an environment."""
    *_, pip = yaml.safe_load((ENVS / f"{role}.yaml").read_text())["dependencies"]
    return {canonicalize_name(Requirement(line.split(" --")[0]).name): line for line in pip["pip"]}


@pytest.mark.parametrize("role", ROLES)
def test_every_package_is_pinned_with_hashes(role):
    for line in pins(role).values():
        assert re.match(r"[\w.-]+==[\w.]+( ; [^-]+?)?( --hash=sha256:[0-9a-f]{64})+$", line)
    assert "://" not in (ENVS / f"{role}.yaml").read_text()


@pytest.mark.parametrize("role", [role for role in ROLES if role != "training-xformers"])
def test_an_environment_has_the_versions_of_the_tests(role):
    for name, line in pins(role).items():
        requirement = Requirement(line.split(" --")[0])
        cuda = re.match("cuda-|nvidia-|triton", name)  # the torch here may be a CPU build
        if not cuda and (requirement.marker is None or requirement.marker.evaluate()):
            installed = importlib.metadata.version(name).partition("+")[0]
            assert str(requirement.specifier) == f"=={installed}", name


def test_training_with_xformers_differs_in_its_torch_alone():
    def ours(role):
        return {
            name: line
            for name, line in pins(role).items()
            if not re.match("cuda-|nvidia-|triton|torch$", name)
        }

    assert ours("training-xformers").keys() - ours("training").keys() == {"xformers"}
    assert ours("training").items() <= ours("training-xformers").items()
    assert pins("training-xformers")["torch"].startswith("torch==2.10.0 ")


def test_a_changed_requirement_is_told(tmp_path):
    for path in (*ENVS.iterdir(), ROOT / "requirements.txt"):
        if path.is_file():
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    roles = tmp_path / "envs/roles.yaml"
    roles.write_text(roles.read_text().replace("peft==0.21.2", "peft==0.21.1"))
    check = [sys.executable, tmp_path / "envs/lock.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 1
    assert "lock.txt without peft==0.21.1" in done.stderr


def rules():
    """(rule, scripts, role) of all rules that do work."""
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for name, body in RULE.findall(file.read_text()):
            if name not in TARGETS:
                env = re.search(r'conda:\n        "../envs/(.+)\.yaml"', body)
                script = re.search(r'script=ancient\("(scripts/.+\.py)"\)', body)
                yield name, script and script[1], env[1] if env else NAMED_BY_SETTINGS.get(name)


def test_every_rule_names_its_environment():
    found = list(rules())
    assert len(found) > 15
    assert [rule for rule, _, role in found if role not in ROLES] == []
    assert {rule for rule, script, _ in found if not script} == {"config", "publish"}


def test_the_plug_ins_name_the_environments_of_their_rules():
    for type_ in CAPTIONERS.names():
        captioner = CAPTIONERS.find(type_)
        rule = "caption_by_model" if captioner.needs_gpu else "caption"
        assert captioner.environment == NAMED_BY_SETTINGS[rule]
    for type_ in MEASURES.names():
        assert MEASURES.find(type_).environment == NAMED_BY_SETTINGS["score"]


@pytest.mark.parametrize("role", ROLES)
def test_an_environment_holds_what_its_scripts_import(role):
    named = role.replace("-xformers", "")
    scripts = {script for _, script, of in rules() if script and of == named}
    files = [file for script in scripts for file in expanded(script)]
    packages = importlib.metadata.packages_distributions()
    missing = {}
    for file in {*files, *modules_of(*files), *plug_ins(role)}:
        for module in third_party(ROOT / file):
            providers = {canonicalize_name(name) for name in packages.get(module, [module])}
            if not providers & pins(role).keys() and module not in UNUSED.get(role, ()):
                missing.setdefault(module, []).append(file)
    assert missing == {}
    assert IMPLIED.get(role, set()) <= pins(role).keys()


def expanded(script):
    """scripts/tiny_{kind}.py stands for several."""
    pattern = re.sub(r"\{.*?\}", "*", script)
    return [str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)] + ["scripts/jobs/run.py"]


def plug_ins(role):
    """Modules that the jobs of a role find by their name in the config."""
    types = {"data": [SOURCES], "captioning": [CAPTIONERS], "evaluation": [MEASURES]}.get(role, [])
    names = [kind.module_name(type_) for kind in types for type_ in kind.names()]
    names += [CAPTIONERS.module_name(type_) for type_ in ("alt", "keyword", "table")] * (
        role == "data"
    )
    return modules_of(*names)


def third_party(file):
    """Top-level names of the packages from elsewhere that a file imports and needs."""
    ours = {"emaki", *(path.stem for path in SCRIPTS.glob("**/*.py"))}
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        for name in {name.split(".")[0] for name in names}:
            if name not in sys.stdlib_module_names and name not in ours and name != "xformers":
                yield name


def test_the_report_needs_no_torch():
    assert not {"torch", "transformers", "diffusers"} & pins("report").keys()
