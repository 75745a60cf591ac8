"""A SLURM cluster on this one machine: real daemons, pretended nodes, pretended GPUs.

    python tests/slurm/cluster.py install        (root, Debian; nothing to do where SLURM is)
    python tests/slurm/cluster.py up FOLDER      (installs it where it is missing)
    python tests/slurm/cluster.py down FOLDER

Each node is a slurmd of its own on the loopback address. A GPU is a link to /dev/null: SLURM sets
CUDA_VISIBLE_DEVICES only for a character device. There is no accounting and no cgroup, so memory
is watched by polling: a job that takes too much is killed within seconds.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
# Clients look here when SLURM_CONF is not set, and the executor's job step unsets it.
CONF = Path("/etc/slurm/slurm.conf")
NODES = {"cpu1": None, "gpu1": "a10", "gpu2": "a100"}  # name: model of its GPUs
GPUS = 2  # of a node that has any
PORT = 16817

SLURM_CONF = """\
ClusterName=emaki
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/spool/%n
StateSaveLocation={folder}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=30
MinJobAge=86400
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
GresTypes=gpu
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=1-0 State=UP PriorityTier=1
PartitionName=gpu Nodes=gpu1,gpu2 MaxTime=1-0 State=UP PriorityTier=1
PartitionName=urgent Nodes=gpu1,gpu2 MaxTime=1-0 State=UP PriorityTier=10
"""


class Cluster:
    """The cluster whose files lie in `folder`."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()

    def up(self):
        """Start the daemons and wait until every node is idle."""
        install()
        self._configure()
        socket_path = self.folder / "munge.socket"
        munged = ["munged", "--force", f"--socket={socket_path}"]
        munged += [f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munged.pid"]
        munged += [f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munged.seed"]
        self._start(munged)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        wait_for(self._all_idle, 60)

    def start_controller(self):
        self._start(["slurmctld"])
        wait_for(lambda: "PartitionName" in ask("scontrol", "show", "partition"), 60)

    def start_node(self, node):
        self._start(["slurmd", "-N", node])

    def lose_node(self, node):
        """Kill all that runs on a node, as a power cut does: nobody tells the controller."""
        jobs = ask("squeue", "--noheader", f"--nodelist={node}", "--format=%A").split()
        keepers = tuple(f"slurmstepd: [{job}." for job in jobs)
        processes = list(Path("/proc").glob("[0-9]*"))
        lost = [path for path in processes if read(path / "cmdline").startswith(keepers)]
        lost += [path for path in processes if env(path).get("SLURMD_NODENAME") == node]
        for path in lost:  # slurmstepd first: it would tell how its job ended
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.name), signal.SIGKILL)
        self.stop(f"slurmd.{node}", signal.SIGKILL)

    def bring_back_node(self, node):
        self.start_node(node)
        wait_for(self._all_idle, 60)

    def stop(self, daemon, number=signal.SIGTERM):
        """End a daemon by its pid file: `slurmctld`, `slurmd.gpu1`, `munged`."""
        path = self.folder / f"{daemon}.pid"
        try:
            pid = int(path.read_text())
            os.kill(pid, number)
        except (OSError, ValueError):
            return
        wait_for(lambda: ended(pid), 30)
        path.unlink(missing_ok=True)

    def down(self):
        """Cancel what runs, end the daemons, forget their state; logs are kept."""
        ask("scancel", "--user", "root", "--full")
        with_jobs_left = lambda: not ask("squeue", "-h", "--states=R,CG,PD")  # noqa: E731
        try:
            wait_for(with_jobs_left, 40)
        except TimeoutError:
            print("some jobs did not end", file=sys.stderr)
        for node in NODES:
            self.stop(f"slurmd.{node}")
        self.stop("slurmctld")
        self.stop("munged")
        for name in ("state", "spool"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if CONF.is_symlink() and Path(os.readlink(CONF)).parent == self.folder:
            CONF.unlink()

    def _configure(self):
        for name in ("state", "spool", "dev", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        nodes, gres = [], ["AutoDetect=off"]
        for gpu in range(GPUS):
            device = self.folder / f"dev/nvidia{gpu}"
            device.unlink(missing_ok=True)
            device.symlink_to("/dev/null")
        for number, (node, model) in enumerate(NODES.items(), 1):
            where = f"NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={PORT + number}"
            size = "CPUs=4 RealMemory=32000" + (f" Gres=gpu:{model}:{GPUS}" if model else "")
            nodes.append(f"NodeName={node} {where} {size} State=UNKNOWN")
            if model:
                files = f"{self.folder}/dev/nvidia[0-{GPUS - 1}]"
                gres.append(f"NodeName={node} Name=gpu Type={model} File={files}")
        text = SLURM_CONF.format(
            host=socket.gethostname(), folder=self.folder, port=PORT, nodes="\n".join(nodes)
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("\n".join(gres) + "\n")
        CONF.parent.mkdir(exist_ok=True)
        if CONF.exists() and not CONF.is_symlink():
            raise RuntimeError(f"{CONF} is there already: this machine has a SLURM of its own")
        CONF.unlink(missing_ok=True)
        CONF.symlink_to(self.folder / "slurm.conf")

    def _start(self, command):
        environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        with open(self.folder / "daemons.log", "a") as log:
            subprocess.run(command, check=True, env=environment, stdout=log, **streams)

    def _all_idle(self):
        states = ask("sinfo", "-h", "-N", "-o", "%N %T").splitlines()
        return {line for line in states if line.endswith(" idle")} == {f"{n} idle" for n in NODES}


def install():
    """SLURM's daemons from Debian, without starting what the packages would start."""
    if shutil.which("slurmctld") and shutil.which("munged"):
        return
    if os.getuid() or not shutil.which("apt-get"):
        sys.exit("error: the SLURM tests need root on Debian, or slurmctld, slurmd and munge")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["apt-get", "-qq", "update"], check=True, env=environment)
    command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def ask(*command):
    """What a SLURM client prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def env(process):
    """The environment of a process, by its folder in /proc; {} when it has ended."""
    pairs = (entry.partition("=") for entry in read(process / "environ").split("\0"))
    return {name: value for name, _, value in pairs}


def read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


def ended(pid):
    """Whether a process is gone or only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, seconds):
    """Wait until `condition()` holds and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.2)
    return result


if __name__ == "__main__":
    action, *where = sys.argv[1:]
    if action == "install":
        install()
    else:
        getattr(Cluster(*where), action)()
