"""Runs stages on the workers of Dask distributed."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cloudpickle
import dask
from distributed import Client, Future, KilledWorker, LocalCluster, Worker, WorkerPlugin, get_worker, wait
from distributed.comm import CommClosedError
from distributed.diagnostics.plugin import UploadFile

from cluster.snapshot import lay
from stages.shared.errors import UserError
from stages.shared.process.console import say

RESOURCE = "stage"  # what `dask worker --resources stage=1` offers: the number of stages that run there at once
CONNECT = 10  # seconds to find the scheduler
POLL = 0.1  # seconds from one look at a running stage to the next
LOST = "the scheduler was lost; run the same command again: the results of finished stages are kept"
ADDRESS = (
    "the address must be that of a running scheduler: tcp://HOST:8786 or, with TLS, tls://HOST:8786, and for TLS this "
    "machine needs the certificate and key of docs/cluster.md"
)
GRACE = 5.0  # seconds for a stage to end after SIGTERM
RETRIES = 3  # as often as Dask itself gives the stage of a lost worker to another


class Ended(NamedTuple):
    """How a stage ended.

    Attributes
    ----------
    code : int
        Exit code.
    output : str
        All that it printed.
    seconds : float
        Time on the machine, inputs and results included.
    machine : str
        Address of the worker; "" if it is not known.
    files : dict of str to bytes
        Path -> content of its file in reports/timings and of its outputs that DVC does not cache.
    """

    code: int
    output: str
    seconds: float
    machine: str
    files: dict[str, bytes]


class Job(NamedTuple):
    """A stage to run.

    Attributes
    ----------
    key : str
        As `run_cache.keys` returns it.
    inputs : list of str
        The stages whose outputs it reads.
    timing : str
        Its file in reports/timings.
    uncached : list of str
        Its outputs that DVC does not cache.
    """

    key: str
    inputs: list[str]
    timing: str
    uncached: list[str]


class Watcher(Protocol):
    """What is told how the stages go."""

    def started(self, stage: str) -> None:
        """Hear of a stage that was sent."""

    def ended(self, stage: str, how: Ended) -> None:
        """Hear how a stage ended."""

    def running(self, workers: dict[str, str]) -> None:
        """Hear, about every second, the address of the worker of each stage that runs."""


class ByValue:
    """A function that Dask sends as it is: its scheduler and workers need not have the module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        for module in (function, lay):
            cloudpickle.register_pickle_by_value(sys.modules[module.__module__])
        self.pickled = cloudpickle.dumps(function)

    def __reduce__(self) -> tuple[Any, ...]:
        return cloudpickle.loads, (self.pickled,)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return cloudpickle.loads(self.pickled)(*arguments)


def run_on_worker(
    stage: str, key: str, archive: str, inputs: Sequence[str], cache: str | None, timing: str, uncached: Sequence[str]
) -> Ended:
    """Run a stage as a process of its own on this worker; it ends when the worker or the driver does.

    Raises
    ------
    ChildProcessError
        A signal ended the process, for example at the end of the machine's time; Dask then tries again.
    """
    worker, began = get_worker(), time.monotonic()
    folder = Path(worker.local_directory)
    # Each thread has its own copy of the project.
    snapshot, project = folder / archive, folder / threading.current_thread().name
    log = project.with_suffix(".log")
    lay(snapshot, project)
    (project / timing).unlink(missing_ok=True)
    command = [sys.executable, "-m", "cluster.machine", stage, f"--key={key}", f"--snapshot={snapshot}", "--project=."]
    command += [f"--parent={os.getpid()}"]
    command += [f"--cache={cache}"] if cache else []
    command += ["--inputs", *inputs] if inputs else []
    own = worker.get_current_task()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while process.poll() is None:
            time.sleep(POLL)
            task = worker.state.tasks.get(own)
            # Dask cannot cancel a task that is running (its issue 4694).
            if task is None or task.state not in ("executing", "long-running"):
                _end(process)
    if process.returncode < 0:
        raise ChildProcessError(f"{signal.Signals(-process.returncode).name} ended it on {worker.address}")
    written = [file for file in (timing, *uncached) if (project / file).is_file()]
    return Ended(
        process.returncode,
        log.read_text(encoding="utf-8", errors="replace"),
        time.monotonic() - began,
        worker.address,
        {file: (project / file).read_bytes() for file in written},
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class LeaveInterrupts(WorkerPlugin):
    """Leaves Ctrl-C, which reaches a worker on this machine, too, to the driver, with which the worker ends."""

    def setup(self, worker: Worker) -> None:
        """Ignore SIGINT; Dask would print tracebacks."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def connect(scheduler: str | None, at_once: int, folder: Path) -> Iterator[Client]:
    """Connect to a scheduler, or start a worker on this machine, which ends with the block.

    Parameters
    ----------
    scheduler : str or None
        Address; None starts a worker.
    at_once : int
        Number of stages at once on a worker to start.
    folder : Path
        Where it writes.

    Raises
    ------
    UserError
        There is no scheduler at the address, or it is lost.
    """
    # Its messages about lost connections and late workers have tracebacks.
    for logger in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    if scheduler:
        try:
            client = Client(scheduler, timeout=CONNECT)
        # Also: not an address; Dask's settings ask for TLS or lack its certificate.
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            no_certificate = isinstance(error, TypeError | FileNotFoundError)
            reason = "no certificate of this machine" if no_certificate else str(error).rpartition(">: ")[2]
            raise UserError(f"SCHEDULER={scheduler}: {reason}; {ADDRESS}") from None
        with client:
            try:
                yield client
            except (CancelledError, CommClosedError):
                raise UserError(LOST) from None
        return
    # Python says so when Ctrl-C ends this process at once: nothing is left.
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    with dask.config.set({"temporary-directory": str(folder.resolve())}):
        cluster = LocalCluster(
            n_workers=1,  # each takes a second of a core to start; the stages are processes of their own
            threads_per_worker=at_once,
            resources={RESOURCE: at_once},
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        try:
            with Client(cluster) as client:
                client.register_plugin(LeaveInterrupts())
                yield client
        finally:
            # Dask kills a worker that does not end in time. On a machine under load, even that can take too long.
            with suppress(TimeoutError):
                cluster.close()


def slots(client: Client) -> int:
    """Return how many stages the workers of now run at once."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return int(sum(worker["resources"].get(RESOURCE, 0) for worker in workers))


def workers_of(client: Client, running: dict[Future, str]) -> dict[str, str]:
    """Return the address of the worker of each stage that runs."""
    stages = {future.key: stage for future, stage in running.items()}
    with suppress(OSError):  # the scheduler is lost, which the client's status tells next
        return {stages[key]: worker for worker, keys in client.processing().items() for key in keys if key in stages}
    return {}


def run_stages(client: Client, archive: Path, jobs: dict[str, Job], cache: Path | None, watcher: Watcher) -> None:
    """Run stages on the workers, in the given order, as many at a time as there are slots.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    archive : Path
        A snapshot.
    jobs : dict of str to Job
        By stage.
    cache : Path or None
        As `cluster.machine.run_stage` takes it.
    watcher : Watcher
        Is told how they go.
    """
    client.register_plugin(UploadFile(str(archive), load=False), name=archive.name)
    function = ByValue(run_on_worker)
    waiting, running, told = [*jobs], dict[Future, str](), False
    while waiting or running:
        if client.status != "running":
            raise UserError(LOST)
        # No more than there are slots: Dask gives all waiting tasks to the first worker that is free.
        free = slots(client)
        while waiting and len(running) < free:
            stage = waiting.pop(0)
            key, inputs, timing, uncached = jobs[stage]
            arguments = (stage, key, archive.name, inputs, str(cache) if cache else None, timing, uncached)
            # The same name for the same work, so that two drivers share it.
            future = client.submit(function, *arguments, key=f"{stage}-{key}", resources={RESOURCE: 1}, retries=RETRIES)
            running[future] = stage
            watcher.started(stage)
        if not free and not told:
            others = len(client.scheduler_info(n_workers=-1)["workers"])
            lacking = f"; those of {others} workers lack '--resources'" if others else ""
            say(f"cluster: waiting for workers, which 'dask worker ... --resources {RESOURCE}=1' starts{lacking}")
        told = not free
        watcher.running(workers_of(client, running))
        if not running:
            time.sleep(1)
            continue
        try:
            done = wait([*running], timeout=1, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in done:
            watcher.ended(running.pop(future), _result(future))


def _result(future: Future) -> Ended:
    try:
        result: Ended = Ended(*future.result())
    except (CancelledError, CommClosedError):  # the scheduler is lost
        raise
    except KilledWorker as error:
        worker = error.last_worker.address
        text = f"{error.allowed_failures + 1} workers ended while they ran it, the last at {worker}: out of memory?\n"
        return Ended(1, text, 0.0, "", {})
    except Exception as error:  # of `run_on_worker`: a signal each time, or a full disk
        return Ended(1, f"{type(error).__name__}: {error}\n", 0.0, "", {})
    return result
