"""A rule's script, run warm and cold: output, failures, signals."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm

SCRIPTS = Path(__file__).parents[2] / "scripts/jobs"


@pytest.fixture(params=["cold", "warm"])
def start(request, tmp_path):
    """Start a script (its text) under run.py; returns the client process. The log is `log`."""

    def start(text, *arguments):
        script = tmp_path / "script.py"
        script.write_text(text)
        environment = {**os.environ, "EMAKI_WARM": str(int(request.param == "warm"))}
        command = [sys.executable, SCRIPTS / "run.py", "--warm", "--log", tmp_path / "log", script]
        return subprocess.Popen(
            [*command, *arguments], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
        )

    return start


def test_output_goes_to_the_log_and_arguments_arrive(start, tmp_path):
    client = start("import os, sys; print(sys.argv[1:], os.getcwd())", "--a", "ü b")
    assert client.communicate()[1] == ""
    assert client.returncode == 0
    assert (tmp_path / "log").read_text() == f"['--a', 'ü b'] {tmp_path}\n"


def test_the_script_imports_modules_beside_it(start, tmp_path):
    (tmp_path / "helper_of_test.py").write_text("value = 3")
    client = start("import helper_of_test; print(helper_of_test.value)")
    assert client.wait() == 0
    assert (tmp_path / "log").read_text() == "3\n"


def test_failure_shows_the_end_of_the_log_and_the_line_that_matters(start):
    client = start("for i in range(90): print('line', i)\nraise ValueError('no such colour')")
    shown = client.communicate()[1]
    assert client.returncode == 1
    assert shown.strip().splitlines()[-1] == "ValueError: no such colour"
    assert "line 89" in shown
    assert "line 3\n" not in shown
    assert "runpy" not in shown


def test_exit_with_a_message_is_that_message(start):
    client = start("import sys; sys.exit('error: there are no pictures')")
    assert client.communicate()[1].strip().splitlines()[-1] == "error: there are no pictures"
    assert client.returncode == 1


def test_sigterm_reaches_the_script_and_its_status_comes_back(start, tmp_path):
    client = start(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(7)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    wait_for(lambda: "ready" in read(tmp_path / "log"))
    client.send_signal(signal.SIGTERM)
    assert client.wait(20) == 7
    assert "saved" in (tmp_path / "log").read_text()


def test_a_killed_script_fails(start):
    client = start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert client.wait() == 128 + signal.SIGKILL


def test_progress_reaches_the_terminal(start):
    client = start(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from emaki.common.progress import tell; tell('half way')",
        SCRIPTS,
    )
    assert client.communicate()[1] == "half way\n"


def test_a_warm_job_ends_with_its_client(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    command = [sys.executable, SCRIPTS / "run.py", "--warm", "--log", tmp_path / "log", script]
    client = subprocess.Popen(command)
    wait_for(lambda: read(tmp_path / "log").endswith("\n"))
    job = int((tmp_path / "log").read_text())
    client.kill()
    client.wait()
    wait_for(lambda: not Path(f"/proc/{job}").exists())


def test_a_warm_job_has_pytorch_already(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; sys.exit(0 if 'torch' in sys.modules else 5)")
    command = [sys.executable, SCRIPTS / "run.py", "--warm", "--log", tmp_path / "log", script]
    assert subprocess.run(command).returncode == 0


def test_a_job_that_comes_as_the_warm_process_wants_to_end_is_not_lost(tmp_path):
    address = str(tmp_path / "address")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    with warm.try_connect(address):
        assert warm.last_call(selector, address)
        listener.accept()[0].close()
    assert warm.last_call(selector, address) == []
    assert warm.try_connect(address) is None, "who comes later starts another warm process"
    selector.close()
    listener.close()


def test_the_warm_process_does_not_ask_for_gpus():
    """After that no fork could use one. What asks, bitsandbytes, is there for the jobs."""
    spy = """if True:
        import sys, torch
        asked = []
        def spy(name, real):
            def ask(*arguments):
                asked.append(name)
                return real(*arguments)
            return ask
        for name in ("is_available", "device_count", "get_device_capability", "_lazy_init"):
            setattr(torch.cuda, name, spy(name, getattr(torch.cuda, name)))
        sys.path.insert(0, sys.argv[1])
        import warm
        warm.import_libraries()
        print(asked)
        import bitsandbytes
        print("is_available" in asked)
    """
    command = [sys.executable, "-c", spy, SCRIPTS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "[]\nTrue\n", done.stderr


def test_of_several_processes_the_first_error_is_the_one_that_matters(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "[rank1]: Traceback (most recent call last):\n"
        '[rank1]:   File "train.py", line 1, in main\n'
        "[rank1]: torch.OutOfMemoryError: CUDA out of memory\n"
        "[rank0]: Traceback (most recent call last):\n"
        "[rank0]: RuntimeError: Connection closed by peer\n"
        "terminated\n"
    )
    script = tmp_path / "script.py"
    script.write_text(f"import sys; print(open({str(log)!r}).read()); sys.exit(1)")
    command = [sys.executable, SCRIPTS / "run.py", "--log", tmp_path / "shown", script]
    shown = subprocess.run(command, capture_output=True, text=True).stderr
    said = shown.strip().splitlines()[-1]
    assert said == "[rank1]: torch.OutOfMemoryError: CUDA out of memory"


def read(path):
    return path.read_text() if path.exists() else ""


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
