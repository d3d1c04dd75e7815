"""Loads in processes of their own, which are killed at any request and a little later."""

import os
import random
import signal
import subprocess
import sys
import threading

# Forks, so that only the first load waits for the imports. The parent never opens a warehouse.
FORKING = """
import asyncio, os, sys
from pathlib import Path
from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.reconciliation import reconcile_account
from orders_connector.sync import sync_account
async def nap(seconds):
    await asyncio.sleep(min(seconds, 0.02))
def load(settings, what, account):
    if what == "sync":
        sync_account(settings, account, sleep=nap).raise_unless_complete()
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
            what: `sync` or `reconcile`.
            requests: the load is killed at one of so many, if it makes as many.
            longest: seconds after that request at most.
        """
        at, delay = self.rng.randint(1, requests), self.rng.uniform(0.0, longest)
        self._say(f"{what} {night.account}")
        child = int(self._said())
        timer = threading.Timer(delay, os.kill, (child, signal.SIGKILL))
        seen = []

        def strike(call):
            seen.append(call)
            if len(seen) == at:
                timer.start()

        night.box.on_request = strike
        assert self._said() == "ended"
        night.box.on_request = None
        timer.cancel()
        if timer.ident:
            timer.join()
        self._say("")
        return int(self._said())

    def _say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _said(self):
        return self._process.stdout.readline().strip()
