"""Seeded faults of a study that was made, and what comes of each.

Each fault ends in the bytes of a study that nothing happened to, after the same command again or
after what the error says is to be done. What reads a damaged file is run as Snakemake has run it,
by the command in its metadata; what the errors say is to be deleted is deleted at the end, and
Snakemake makes it anew. For the other faults Snakemake itself is started.
"""

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

LATENTS = "latents/rooms/tiny/*"
IN_SHARDS = "latents/sharded/shards/00001/tiny/*"
LORA, HALF = "samples/lora/0.parquet", "samples/full/0.parquet"
CHECKPOINT, FULL = "runs/lora/000001/checkpoint.json", "runs/full/000001/checkpoint.json"
BASE, SCORES = "samples/base/tiny/0.parquet", "scores/evaluation/base/tiny/0.parquet"
MERGE = "merges/full/*/ema/0.5"
ANSWERS, REPORT = "experiments/lora.json", "report.html"
# (what is damaged, what is made of it)
HAND_OVERS = [
    ("images/rooms/metadata.parquet", "captions/rooms/blip.parquet"),
    ("images/rooms/rejects.parquet", "datasets/rooms/content.json"),
    ("images/rooms/pictures/*.png", "datasets/rooms/content.json"),
    ("images/sharded/metadata.parquet", "images/sharded/shards/00001/metadata.parquet"),
    ("images/sharded/shards/00001/metadata.parquet", "captions/sharded/shards/00001/alt.parquet"),
    ("captions/rooms/blip.parquet", "captions/rooms/edited.parquet"),
    ("captions/rooms/edited.parquet", "datasets/rooms/content.json"),
    (
        "captions/sharded/shards/00001/keyword.parquet",
        "datasets/sharded/shards/00001/content.json",
    ),
    ("datasets/rooms/data/train.parquet", f"{LATENTS}/manifest.json"),
    ("datasets/rooms/data/validation.parquet", "prompts/rooms/0000-0002.parquet"),
    ("datasets/rooms/card.json", REPORT),
    ("datasets/rooms/contact_sheet.png", REPORT),
    ("datasets/sharded/shards/00001/rows.parquet", "datasets/sharded/content.json"),
    ("datasets/sharded/shards/00001/data/train.parquet", f"{IN_SHARDS}/manifest.json"),
    ("datasets/sharded/data/train.parquet", "latents/sharded/tiny/*/manifest.json"),
    (f"{LATENTS}/manifest.json", CHECKPOINT),
    (f"{LATENTS}/index.parquet", CHECKPOINT),
    (f"{LATENTS}/moments.safetensors", CHECKPOINT),
    (f"{LATENTS}/text.safetensors", CHECKPOINT),
    (f"{IN_SHARDS}/moments.safetensors", FULL),
    (f"{IN_SHARDS}/manifest.json", "latents/sharded/tiny/*/manifest.json"),
    ("datasets/sharded/shards/00001/content.json", "datasets/sharded/content.json"),
    ("datasets/sharded/content.json", "latents/sharded/tiny/*/manifest.json"),
    (f"{IN_SHARDS}/index.parquet", "latents/sharded/tiny/*/manifest.json"),
    ("runs/lora/000002/checkpoint.json", LORA),
    ("runs/lora/000002/weights/raw/pytorch_lora_weights.safetensors", LORA),
    ("runs/full/*/weights/ema/*.safetensors", HALF),
    ("runs/full/*/weights/ema/*.safetensors", f"{MERGE}/merge.json"),
    ("runs/lora/000002/metrics.parquet", REPORT),
    (f"{MERGE}/merge.json", "best/merging/README.md"),
    (f"{MERGE}/*.safetensors", "best/merging/README.md"),
    ("prompts/rooms/0000-0002.parquet", BASE),
    (BASE, SCORES),
    (BASE, "grids/lora/*.png"),
    (BASE, "votes.html"),
    (SCORES, ANSWERS),
    (SCORES, "looks/1.json"),
    ("references/kid/rooms.parquet", ANSWERS),
    ("references/kid/sharded/shards/00001.parquet", "references/kid/sharded.parquet"),
    ("calibrations/clip_score/tiny/rooms.parquet", ANSWERS),
    ("calibrations/kid/rooms.parquet", ANSWERS),
    ("spreads.json", ANSWERS),
    ("looks/1.json", ANSWERS),
    (ANSWERS, REPORT),
    (ANSWERS, "best/lora.json"),
    ("best/lora.json", "best/lora/README.md"),
    ("grids/lora/*.png", "best/lora/README.md"),
    ("grids/lora/*.png", REPORT),
    ("votes.json", REPORT),
]
DAMAGES = ("cut", "flip", "empty", "swap")
# {script of a stage: one of its outputs}
STAGES = {
    "images": "images/rooms/metadata.parquet",
    "scatter": "images/sharded/shards/00001/metadata.parquet",
    "caption": "captions/rooms/blip.parquet",
    "dataset": "datasets/rooms/content.json",
    "dataset_shard": "datasets/sharded/shards/00001/content.json",
    "dataset_gather": "datasets/sharded/content.json",
    "latents": f"{LATENTS}/manifest.json",
    "latents_gather": "latents/sharded/tiny/*/manifest.json",
    "train": "runs/lora/000002/checkpoint.json",
    "merge": f"{MERGE}/merge.json",
    "prompts": "prompts/rooms/0000-0002.parquet",
    "sample": BASE,
    "score": SCORES,
    "reference": "references/kid/rooms.parquet",
    "reference_gather": "references/kid/sharded.parquet",
    "calibrate": "calibrations/clip_score/tiny/rooms.parquet",
    "spread": "spreads.json",
    "look": "looks/1.json",
    "compare": ANSWERS,
    "grid": "grids/lora/*.png",
    "ballot": "votes.html",
    "votes": "votes.json",
    "report": REPORT,
    "choose": "best/lora.json",
    "export": "best/lora/README.md",
}
SENTENCE = re.compile(
    r"(results/\S+) (?:is damaged|is missing)[^\n]*?: delete (\S+) and give the same command again"
)
# times, and what is kept as long as somebody needs it
UNCOMPARED = re.compile(r"(benchmarks|states|pictures)/|report\.html|.*/tensorboard/|(.*/)?\.")


def every_fault():
    """All faults, as (kind, subject): a hand-over's number, or the script of a stage."""
    found = [(kind, number) for kind in DAMAGES for number in range(len(HAND_OVERS))]
    found += [("vanish", n) for n, pair in enumerate(HAND_OVERS) if _in_a_folder(pair[0])]
    victims = ("snakemake", "machine")
    for number, script in enumerate(STAGES):
        found += [("kill job", script), (f"kill {victims[number % 2]}", script)]
        found += [("full disk", script)]
    for script in ("train", "sample", "score", "compare", "dataset", "report"):
        found += [("read-only", script), ("two at once", script), ("clock", script)]
    return found


def choose(number, seed):
    """So many of all faults; all, and again, where there are not so many."""
    every, found, chance = every_fault(), [], random.Random(seed)
    while len(found) < number:
        found += chance.sample(every, min(len(every), number - len(found)))
    return found


def _in_a_folder(pattern):
    """Whether a file is in a folder that Snakemake knows as a whole."""
    return "/pictures/" in pattern or "/weights/" in pattern


class Trials:
    """Faults, one after the other, in a copy of a study that was made."""

    def __init__(self, whole, place, seed, targets):
        self.whole, self.place, self.targets = whole, place, targets
        self.chance = random.Random(seed)
        self.found, self.told = Counter(), set()
        self.name = next((whole.folder / "results").glob("*/config.json")).parent.name
        self.expected = self.contents(whole)
        self.study = self.copy(place / "study")
        self.commands = dict(recorded_commands(self.study.folder, self.name))
        self.expected_report = self.report(self.study)

    def copy(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.whole.folder, folder, symlinks=True)
        return type(self.whole)(folder, self.whole.config)

    def results(self, study=None):
        return (study or self.study).folder / "results" / self.name

    def contents(self, study):
        """{path: digest} of what is the same however often it is made."""
        folder = self.results(study)
        names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        kept = (name for name in names if not UNCOMPARED.match(name))
        digest = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in kept}
        return dict(sorted(digest.items()))

    def report(self, study):
        """The report's bytes, with the timings of the study that nothing happened to."""
        benchmarks = self.results(study) / "benchmarks"
        shutil.rmtree(benchmarks)
        shutil.copytree(self.results(self.whole) / "benchmarks", benchmarks)
        output = study.folder / "again.html"
        command = [sys.executable, "scripts/report.py", "--study", self.results() / "config.json"]
        subprocess.run([*command, "--output", output], cwd=study.folder, check=True)
        return output.read_bytes()

    def check(self, report=False):
        """Whether all is as if nothing had happened; the report takes a few seconds more."""
        found = self.contents(self.study)
        odd = [name for name in self.expected if found.get(name) != self.expected[name]]
        assert not odd, odd
        assert not report or self.report(self.study) == self.expected_report

    def find(self, pattern):
        """The last file of the study that a pattern means, or None."""
        found = sorted(self.results(self.whole).glob(pattern))
        return found and self.results() / found[-1].relative_to(self.results(self.whole))

    def target(self, path):
        """A result as Snakemake is asked for it: of an export the folder."""
        path = path.parent if path.parent.parent.name == "best" else path
        return str(path.relative_to(self.study.folder))

    def start(self, targets=(), *options):
        """What Snakemake says, and whether it went well."""
        done = self.study.snakemake(*(list(targets) or self.targets), *options, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def heal(self, targets=()):
        """The documented commands after whatever happened: `make unlock`, `make report`."""
        well, said = self.start(targets)
        if not well and "unlock" in said:
            self.study.snakemake("--unlock")
            well, said = self.start(targets)
        assert well, said

    @contextlib.contextmanager
    def afresh(self):
        """After a failure the next fault has a new copy."""
        try:
            yield
        except BaseException:
            self.study = self.copy(self.place / "study")
            raise

    # damaged files

    def hand_over(self, kind, before, after):
        """Damage a file and run what reads it: it is named, or the same comes out."""
        path, made = self.find(before), self.find(after)
        expected = made.read_bytes()
        with self.damaged(path, kind):
            command = self.commands[self.target(made)]
            done = self.study.run("bash", "-c", command, check=False)
            if done.returncode == 0:
                assert made.read_bytes() == expected, f"{kind} of {path} was used"
                self.found[kind, "harmless"] += 1
                return
            sentences = SENTENCE.findall(done.stdout + done.stderr)
            assert sentences, done.stdout + done.stderr
            names = map(os.path.normpath, sentences[-1])
            named, delete = (self.study.folder / name for name in names)
            delete = named if delete.name == "it" else delete
            assert path in (named, delete) or delete in path.parents, sentences
            self.told.add(delete)
            self.found[kind, "noticed"] += 1

    def delete_what_was_told(self):
        """Delete all that errors have said is to be deleted; the same command makes it anew."""
        for path in self.told:
            _remove(path)
        well, said = self.start(map(self.target, self.told))
        assert well, said

    @contextlib.contextmanager
    def damaged(self, path, kind):
        """A file changed behind Snakemake's back: its date stays."""
        bytes_, about = path.read_bytes(), path.stat()
        whole = bytearray(bytes_)
        if kind == "flip":
            whole[self.chance.randrange(len(whole))] ^= 1 << self.chance.randrange(8)
        elif kind == "cut":
            del whole[self.chance.randrange(1, len(whole)) :]
        elif kind == "empty":
            whole.clear()
        elif kind == "swap":
            whole = self.other(path).read_bytes()
        try:
            _write(path, whole, about)
            if kind == "vanish":
                path.unlink()
            yield
        finally:
            _write(path, bytes_, about)

    def other(self, path):
        """Another file of the same kind, of its stage if that has one, with other bytes."""
        folder, name = self.results(self.whole), path.relative_to(self.results())
        alike = [
            other
            for other in sorted(folder.rglob(f"*{path.suffix}"))
            if other.relative_to(folder) != name
            and "/." not in str(other.relative_to(folder))
            and other.read_bytes() != (folder / name).read_bytes()
            and (path.suffix != ".json" or b'"sha256": "' in other.read_bytes())
        ]
        near = [other for other in alike if other.relative_to(folder).parts[0] == name.parts[0]]
        same = [other for other in near if other.name == path.name]
        return self.chance.choice(same or near or alike)

    # what happens to a stage

    def befall(self, kind, script):
        """A fault of `every_fault` that is no damaged hand-over."""
        others = {
            "full disk": self.fill,
            "read-only": self.write_protect,
            "two at once": self.meet,
            "clock": self.turn_back,
        }
        if kind in others:
            others[kind](script)
        else:
            self.kill(script, kind.removeprefix("kill "))

    def remove(self, script):
        """Remove an output of a stage; return it as a target."""
        target = self.target(self.find(STAGES[script]))
        _remove(self.study.folder / target)
        if script == "sample":
            _remove(self.results() / "pictures")
        return target

    def begin(self, targets):
        """Snakemake at work, in a session of its own."""
        command = [sys.executable, "-m", "snakemake", *targets]
        command += ["--profile", "profiles/local", "--configfile", self.study.config]
        with open(self.place / "said", "w") as said:
            return subprocess.Popen(
                [*command, "--cores", "2"],
                cwd=self.study.folder,
                env=self.study.environment(),
                start_new_session=True,
                stdout=said,
                stderr=said,
            )

    def kill(self, script, victim):
        """SIGKILL at a random moment of a stage: a job, Snakemake, or all that a machine runs."""
        target = self.remove(script)
        process = self.begin([target])
        jobs = wait_for_jobs(self.study.folder, f"scripts/{script}.py", process)
        time.sleep(self.chance.random() * 1.5)
        if victim == "job":
            jobs = find_jobs(self.study.folder, f"scripts/{script}.py") or jobs
            killed = [self.chance.choice(jobs)] if jobs else []
        elif victim == "snakemake":
            killed = [process.pid]
        else:
            killed = find_jobs(self.study.folder, "")
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(600)
        happened = "had ended" if process.returncode == 0 else "killed"
        self.heal([target])
        self.found[f"kill {victim}", happened] += 1

    def fill(self, script):
        """A disk that is full after a random part of what a stage writes."""
        path = self.find(STAGES[script])
        room = self.chance.random() * sum(f.stat().st_size for f in _files_of(path))
        target = self.remove(script)
        ballast = self.study.folder / "ballast"
        with open(ballast, "wb") as file:
            free = os.statvfs(self.study.folder)
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - int(room))
        well, said = self.start([target])
        ballast.unlink()
        kind = "had room" if well else "told" if "the disk is full" in said else "failed"
        assert well or re.search("disk is full|No space left", said), said
        self.heal([target])
        self.found["full disk", kind] += 1

    def write_protect(self, script):
        """A folder that may not be written any more."""
        target = self.remove(script)
        folder = (self.study.folder / target).parent
        self.study.prepare = obey_modes
        os.environ["EMAKI_WARM"] = "0"  # the warm process was started before
        folder.chmod(0o555)
        try:
            well, said = self.start([target])
        finally:
            del os.environ["EMAKI_WARM"]
        told = re.findall(r"chmod -R u\+w [^\s)]+", said)
        assert not well, said
        assert told, said
        subprocess.run(shlex.split(told[-1]), cwd=self.study.folder, check=True)
        self.heal([target])
        self.study.prepare = None
        self.found["read-only", "told"] += 1

    def meet(self, script):
        """Two Snakemakes that make the same, a random time apart."""
        target = self.remove(script)
        first = self.begin([target])
        time.sleep(self.chance.random() * 8)
        well, said = self.start([target])
        first.wait(600)
        kind = "both well" if well else "told" if "is at work here" in said else "locked"
        assert first.returncode == 0 or well, said
        self.heal([target])
        self.found["two at once", kind] += 1

    def turn_back(self, script):
        """The clock set back a day: all that is there is of tomorrow."""
        tomorrow = time.time() + 86_400
        for path in self.results().rglob("*"):
            os.utime(path, (tomorrow, tomorrow), follow_symlinks=False)
        target = self.remove(script)
        well, said = self.start([target])
        told = re.search(r"start again: (find .*)", said)
        assert not well and told, said  # noqa: PT018
        subprocess.run(shlex.split(told[1]), cwd=self.study.folder, check=True)
        self.heal([target])
        self.found["clock", "told"] += 1


def recorded_commands(folder, name):
    """(output, command) of every job, as Snakemake has noted them, for a shell in the folder."""
    (study,) = (folder / ".snakemake/emaki").glob(f"{name}-*.json")
    notes = folder / ".snakemake/metadata"
    for path in notes.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(notes)).replace("/@", "")
            output = base64.b64decode(name.removeprefix("@"), "-_").decode()
            command = json.loads(path.read_text()).get("shellcmd")
            python = Path(sys.executable).parent
            yield output, f"export EMAKI_STUDY={study} PATH={python}:$PATH; {command}"


def find_jobs(folder, word):
    """The processes that work in a folder, those with a word in their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if Path(os.readlink(process / "cwd")) == folder and (
                word.encode() in (process / "cmdline").read_bytes()
            ):
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def wait_for_jobs(folder, word, process):
    """The jobs of a stage, once there are some, or none where Snakemake ends before."""
    while process.poll() is None:
        if jobs := find_jobs(folder, word):
            return jobs
        time.sleep(0.1)
    return []


def obey_modes():
    """Let this process, if it is root's, write no more than modes allow."""
    drop_from_bounding_set, override = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override)


def _write(path, data, about):
    """Write a file with the date that it had."""
    path.write_bytes(data)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _files_of(path):
    """The file, or those of the folder that Snakemake knows it by."""
    return [f for f in path.parent.rglob("*") if f.is_file()] if path.parent.is_dir() else [path]


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
