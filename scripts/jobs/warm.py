"""A process that has imported PyTorch and forks itself for each job.

Importing torch, diffusers, transformers and peft costs a job 2 to 7 s of CPU, and a study has
hundreds of short jobs. The first job that asks starts this process; each job is a fork of it
(milliseconds), with the job's own arguments, environment, folder and output; it ends by itself
when nothing has asked for IDLE_SECONDS. It imports libraries only, never the project's modules,
so a job always runs the code that is on the disk. A job ends when its client is gone, and a
client's signals reach its job.

The protocol, on a Unix socket: the client sends one JSON line (argv, cwd, env) with the file
descriptors of log and terminal, later one byte per signal; the reply is one byte, the status.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

IDLE_SECONDS = 20
START_SECONDS = 120
LONGEST_REQUEST = 1 << 20
PR_SET_PDEATHSIG = 1
LIBRARIES = (
    "torch",
    "numpy",
    "pyarrow.parquet",
    "safetensors.torch",
    "PIL.Image",
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "transformers.models.blip.modeling_blip",
    "peft",
)


def is_possible():
    """Whether this machine and this job allow it: Linux, not a cluster job, not switched off."""
    wanted = os.environ.get("EMAKI_WARM", "1") != "0" and "SLURM_JOB_ID" not in os.environ
    return wanted and hasattr(os, "pidfd_open")


class Job:
    """A job in the warm process, seen from its client."""

    def __init__(self, connection):
        self.connection = connection

    def signal(self, number):
        self.connection.send(bytes([number]))

    def wait(self):
        """The job's exit status; 1 if the warm process died."""
        reply = self.connection.recv(1)
        return reply[0] if reply else 1


@contextlib.contextmanager
def request(command, log, terminal):
    """Start `command` (a script and its arguments) with output to descriptor `log`."""
    message = {"argv": command, "cwd": os.getcwd(), "env": dict(os.environ)}
    with connect() as connection:
        data = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(connection, [data], [log, terminal])
        connection.sendall(data[sent:])
        yield Job(connection)


def connect():
    """A connection to the warm process of this interpreter, started if there is none."""
    address = socket_path()
    with open(f"{address}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if connection := try_connect(address):
            return connection
        output = open(f"{address}.log", "wb")  # noqa: SIM115 - the child keeps it
        subprocess.Popen(
            [sys.executable, __file__, address],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the clients, which hand it on
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if connection := try_connect(address):
                return connection
            time.sleep(0.02)
    raise RuntimeError(f"the warm process did not start; see {address}.log, or set EMAKI_WARM=0")


def try_connect(address):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        return connection
    except OSError:
        connection.close()
        return None


def socket_path():
    """One address per user, interpreter and version of this file."""
    folder = Path(tempfile.gettempdir()) / f"emaki-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to another user; set TMPDIR or EMAKI_WARM=0")
    key = hashlib.sha256(sys.executable.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return str(folder / key)


def serve(address):
    """Accept requests until nothing has run for IDLE_SECONDS."""
    Path(address).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)  # clients may queue while the libraries are imported
    import_libraries()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, ("listener", None))
    while events := wait(selector) or last_call(selector, address):
        for key, _ in events:
            kind, job = key.data
            if kind == "listener":
                start_job(listener, selector)
            elif kind == "client":
                pass_signal(key.fileobj, job, selector)
            else:
                end_job(key.fileobj, job, selector)


def wait(selector):
    """What happens next; nothing, if no job runs and none has come for IDLE_SECONDS."""
    return selector.select(IDLE_SECONDS if len(selector.get_map()) == 1 else None)


def last_call(selector, address):
    """Clients that connected in the last moment; where there is none, others find no address."""
    with open(f"{address}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # clients connect under it
        events = selector.select(0)
        if not events:
            Path(address).unlink(missing_ok=True)
        return events


def import_libraries():
    # diffusers imports it, and it asks CUDA what there is: no fork could use a GPU after that.
    sys.modules["bitsandbytes"] = None
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):  # an environment has what its role needs
            __import__(name)
    del sys.modules["bitsandbytes"]


def start_job(listener, selector):
    """Fork for the next request; watch the client and the child."""
    connection, _ = listener.accept()
    data, descriptors, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 2)
    while more := b"\n" not in data and connection.recv(LONGEST_REQUEST):
        data += more
    message, newline, signals = data.partition(b"\n")
    if not newline:  # a client that was killed
        connection.close()
        return
    pid = os.fork()
    if pid == 0:
        run_job(json.loads(message), *descriptors)
    os.setpgid(pid, pid)  # here too: a signal may come before the child has done it
    for number in signals:
        os.killpg(pid, number)
    for descriptor in descriptors:
        os.close(descriptor)
    job = (pid, connection)
    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, ("child", job))
    selector.register(connection, selectors.EVENT_READ, ("client", job))


def pass_signal(connection, job, selector):
    """Hand the client's signal on; a client that is gone takes its job with it."""
    data = connection.recv(1)
    if not data:
        selector.unregister(connection)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job[0], data[0] if data else signal.SIGKILL)


def end_job(pidfd, job, selector):
    """Collect a finished child and send its status."""
    pid, connection = job
    selector.unregister(pidfd)
    os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(KeyError):
        selector.unregister(connection)
    with contextlib.suppress(OSError):
        connection.send(bytes([128 - code if code < 0 else code]))
    connection.close()


def run_job(message, log, terminal):
    """In the child: become the job. Never returns."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"], EMAKI_TERMINAL=str(terminal))
    sys.argv = message["argv"]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException as error:
        script = error.__traceback__.tb_next.tb_next.tb_next.tb_next  # below runpy's own frames
        traceback.print_exception(error.with_traceback(script))
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
