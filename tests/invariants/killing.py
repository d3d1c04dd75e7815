"""Loads in processes of their own, which are killed at any time or at any request."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

# Forks, so that only the first load waits for the imports. The parent never opens a warehouse.
FORKING = """
import asyncio, os, sys
from datetime import UTC, datetime
from pathlib import Path
from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.reconciliation import reconcile_account
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, sync_account
async def nap(seconds):
    await asyncio.sleep(min(seconds, 0.02))
def load(settings, what, account):
    if what == "sync":
        sync_account(settings, account, sleep=nap).raise_unless_complete()
    elif what == "backfill":
        everything = Window(datetime(2020, 1, 1, tzinfo=UTC))
        backfill_account(settings, account, everything, sleep=nap).raise_unless_complete()
    else:
        reconcile_account(settings, account, sleep=nap).raise_unless_equal()
    refresh_models(settings)
    publish_warehouse(settings)
load_models()
settings = Settings.load(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 1
        try:
            load(settings, *line.split())
            code = 0
        finally:
            os._exit(code)
    print(child, flush=True)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    print("ended", flush=True)
    sys.stdin.readline()  # until then its number belongs to nobody else
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Loads:
    """Starts loads over one settings file. A context manager.

    Attributes:
        rng: of the points at which loads are killed.
    """

    def __init__(self, settings_file, seed):
        self.rng = random.Random(seed)
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKING, str(settings_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        assert self._said() == "ready"
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def killed(self, night, what, requests, longest):
        """Start a load, kill it some time after some request, and return its exit code.

        Args:
            night: whose account is loaded.
            what: `sync`, `backfill` or `reconcile`.
            requests: the load is killed at one of so many, if it makes as many.
            longest: seconds after that request at most.
        """
        at, delay = self.rng.randint(1, requests), self.rng.uniform(0.0, longest)
        child = self._started(what, night.account)
        timer = threading.Timer(delay, os.kill, (child, signal.SIGKILL))
        seen = []

        def strike(call):
            seen.append(call)
            if len(seen) == at:
                timer.start()

        night.box.on_request = strike
        self._wait()
        night.box.on_request = None
        timer.cancel()
        if timer.ident:
            timer.join()
        return self._exit_code()

    def killed_within(self, longest, what, account):
        """Start a load, kill it after so many seconds at most, and return its exit code."""
        delay = self.rng.uniform(0.0, longest)
        child = self._started(what, account)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        self._wait()
        return self._exit_code()

    def killed_at(self, request, box, what, account):
        """Start a load, kill it before that request is answered, and return its exit code."""
        child = self._started(what, account)
        seen, dead = [], threading.Event()

        def strike(call):
            seen.append(call)
            if len(seen) == request:
                os.kill(child, signal.SIGKILL)
                dead.wait()

        box.on_request = strike
        self._wait()
        dead.set()
        box.on_request = None
        return self._exit_code()

    def _started(self, what, account):
        self._say(f"{what} {account}")
        return int(self._said())

    def _wait(self):
        assert self._said() == "ended"

    def _exit_code(self):
        self._say("")
        return int(self._said())

    def _say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _said(self):
        return self._process.stdout.readline().strip()
