"""A sandbox that lives while its account is read, and what may be said of it; for every source."""

import json
import typing
from datetime import UTC, datetime, time, timedelta

from orders_connector.config import Settings
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.reconciliation import reconcile_account
from orders_connector.sandbox.clock import microseconds
from orders_connector.sources.base import Window
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.switch_values import drawn, troubles, values_of

# Orders and parts in full as models read them; those that the source said to be gone have none.
HELD = """
    select order_id, part_id, arg_max(payload, (version_at, version_id))
        filter (where channel not in ('export', 'gone') and quarantine_reason is null)::varchar
    from raw.order_payloads
    where source = ? and account = ?
    group by order_id, part_id
    having arg_max(channel, version_id) <> 'gone'
"""
# The newest that was seen of each, in full or not, readable or not.
SEEN = """
    select order_id, part_id, arg_max(payload, (version_at, version_id))::varchar
    from raw.order_payloads
    where source = ? and account = ? and channel <> 'gone'
    group by order_id, part_id
"""
GONE = """
    select distinct order_id, part_id from raw.order_payloads
    where source = ? and account = ? and channel = 'gone'
"""
UNNAMED = """
    select count(*) from ops.quarantine
    where source = ? and account = ? and order_id is null and stage = 'landing'
"""
NAMED = """
    select distinct order_id from ops.quarantine
    where source = ? and account = ? and order_id is not null
"""
COMMON = """\
time_zone = "Europe/Warsaw"
history_start = 2020-01-01
max_wait_seconds = 4000
{extra}
"""


class Night:
    """One sandbox, its account in a warehouse, and moves that happen while it is read.

    Orders are named by (order_id, None), their parts (licenses) by (order_id, part_id).

    Attributes:
        source: name of the source.
        account: name of its account.
        config: settings of the account, for `str.format`.
        switches: the class of the sandbox's switches.
        numbers: what is drawn for switches that are numbers.
        usually: what is drawn more often than the other values of a switch.
        sizes: how many orders the past has.
        paths: where faults strike.
        kinds: moves.
        id_key: where an order keeps its id.
        kept: keys without which an order cannot be told or dated; the id is one of them.
        status_key: where an order keeps its status, or what comes nearest.
        box: the sandbox.
        settings: of the warehouse; given by `open_nights`.
        undated: keys of what changed without a date since its last dated change.
    """

    source: str
    account: str
    config: str
    switches: type
    numbers: typing.ClassVar[dict[str, tuple[int, ...]]] = {}
    usually: typing.ClassVar[dict[str, tuple[object, ...]]] = {}
    sizes: tuple[int, ...]
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    id_key: str
    kept: frozenset[str]
    status_key: str

    def __init__(self, box, moves=()):
        self.box, self.pending = box, list(moves)
        self.settings = None
        self.undated = set()
        self.erased = set()
        self.ever = set()

    # What each source says -------------------------------------------------------------------

    @classmethod
    def sandbox(cls, size, seed=7, switches=None, **options):
        """Make a sandbox with a clock that stands still."""
        raise NotImplementedError

    @property
    def environment(self):
        """Credentials by environment variable."""
        raise NotImplementedError

    @property
    def facts(self):
        """What the configuration says of the sandbox."""
        return {"base_url": self.box.base_url}

    def truth(self):
        """Return everything as a load should hold it, secrets redacted, by key."""
        raise NotImplementedError

    def shown(self):
        """Return what lists show now, by key."""
        return self.truth()

    def there(self):
        """Return the keys of everything there is, cheaply."""
        raise NotImplementedError

    @staticmethod
    def dated(order):
        """Return what the source dates of an order or part: name to moment, microseconds."""
        raise NotImplementedError

    @staticmethod
    def still(key, order):
        """Take out what moves although the order does not."""
        return order

    def burst(self, count):
        """Change some orders, so that their dates move, a second apart."""
        raise NotImplementedError

    @classmethod
    def refusals(cls, switches):
        """Return the errors by which even a quiet load may end under these switches."""
        return set()

    def excused(self):
        """Return the keys of which a quiet load and a comparison may hold another state."""
        return set()

    def whole(self):
        """Return all orders as the source has them, secrets too."""
        raise NotImplementedError

    def put(self, number, order):
        """Let the source have one more order, whatever it holds, created now; return its id."""
        raise NotImplementedError

    def secrets(self):
        """Return the texts of the source's answers that nobody may store."""
        return set()

    @staticmethod
    def money(order):
        """Return exact amounts in minor units by column of core.orders; None where unknown."""
        raise NotImplementedError

    # What is the same for all ----------------------------------------------------------------

    @classmethod
    def values(cls):
        """Return the values to draw for each switch."""
        return values_of(cls.switches, cls.numbers, cls.usually)

    @classmethod
    def any_switches(cls):
        """Return a strategy of switches."""
        return drawn(cls.switches, cls.values())

    @classmethod
    def any_faults(cls):
        """Return a strategy of faults."""
        return troubles(cls.paths)

    def transport(self):
        """Return what makes waiting move the sandbox's clock instead of ours."""

        async def wait(seconds):
            self.box.clock.advance(timedelta(seconds=seconds))

        return {"sleep": wait, "clock": lambda: self.box.clock.now().timestamp()}

    def sync(self):
        """Load, and hold the load to its word."""
        before = self.shown()
        result = sync_account(self.settings, self.account, **self.transport())
        after = self.shown()
        still = {key: one for key, one in before.items() if after.get(key) == one}
        self.check(result, still)
        return result

    def reconcile(self):
        """Compare with the source and repair."""
        return reconcile_account(
            self.settings, self.account, repair_calls=10_000, **self.transport()
        )

    def live(self, call):
        """Let something happen at every second request; a hook of the sandbox."""
        self.box.clock.advance(timedelta(seconds=2))
        if self.pending and len(self.box.calls) % 2:
            self.noting(lambda: self.make(self.pending.pop()))

    def tick(self):
        """Let a second pass."""
        self.box.clock.advance(timedelta(seconds=1))

    def noting(self, work):
        """Do something with the sandbox and note what vanished by it."""
        before = self.there()
        work()
        self.ever |= before
        self.erased |= before - self.there()

    def make(self, kind):
        """Make one move."""
        self.box.moves.make(kind)

    def query(self, sql):
        """Ask the warehouse about this account."""
        with warehouse_connection(self.settings, read_only=True) as con:
            return con.execute(sql, [self.source, self.account]).fetchall()

    def held(self):
        """Return what the warehouse holds, by key; None for what is known from headers alone."""
        return {
            (order, part): self.still((order, part), json.loads(payload)) if payload else None
            for order, part, payload in self.query(HELD)
        }

    def coverage(self):
        """Return the proven windows."""
        with warehouse_connection(self.settings, read_only=True) as con:
            return coverage_of(con, self.source, self.account)

    def gaps(self):
        """Return what is not proven of the history up to now."""
        begin = datetime.combine(self.settings.accounts[self.account].history_start, time(), UTC)
        return gaps_in(self.coverage(), Window(begin, self.box.clock.now()))

    def uncounted(self):
        """How many orders may be missing although the counts add up (docs/completeness.md)."""
        ((unnamed,),) = self.query(UNNAMED)
        return unnamed + len(self.held().keys() - self.there())

    def missed(self, still):
        """Return what proven windows date and the warehouse does not hold so new."""
        seen = {(order, part): json.loads(one) for order, part, one in self.query(SEEN)}
        quarantined = {name for (name,) in self.query(NAMED)}
        proven = [(stamp(w.start), stamp(w.end)) for w in self.coverage()]
        missed = set()
        for key, order in still.items():
            if key[0] in quarantined:
                continue
            had = self.dated(seen.get(key))
            for name, at in self.dated(order).items():
                covered = any(start <= at < end for start, end in proven)
                if covered and had.get(name, -1) < at:
                    missed.add((key, name))
        return missed

    def check(self, result, still):
        """What stood still while a load that calls itself complete read: nothing of it is missed.

        A count cannot tell a back-dated order from an erased one, nor from a row without an id.
        """
        if result.status == "complete":
            missed = self.missed(still)
            assert not missed or len(missed) <= self.uncounted(), missed
        else:
            assert result.reading.reason
            # All may be proven when an error ends what is read beside the windows.
            covered, asked = self.coverage(), result.reading.window.start
            proven = result.error and len(covered) == 1 and covered[0].end > asked
            named = result.reading.missing or names_orders(result.reading.reason)
            assert named or proven, result.reading.reason

    def check_gone(self):
        """Only what the source erased, or never had, is marked as deleted."""
        gone = set(self.query(GONE))
        assert gone & (self.ever | self.there()) <= self.erased

    def differing(self):
        """Return the keys of what the warehouse holds otherwise than the sandbox has it."""
        held, truth = self.held(), self.truth()
        return {key for key in held.keys() | truth.keys() if held.get(key) != truth.get(key)}


def texts_under(value, names):
    """Return all texts that stand under keys with the given names, at any depth."""
    found = set()
    if isinstance(value, list):
        for one in value:
            found |= texts_under(one, names)
    elif isinstance(value, dict):
        for key, one in value.items():
            found |= texts_in(one) if key in names else texts_under(one, names)
    return found


def texts_in(value):
    """Return all texts in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(texts_in, value))
    return {value} if isinstance(value, str) else set()


def names_orders(reason):
    """True for reasons that are about single orders, which no window names."""
    return any(
        words in reason
        for words in ("than all windows explain", "than it shows", "open orders did not come")
    )


def stamp(moment):
    return microseconds(moment.isoformat())


def open_nights(nights, folder, monkeypatch, extra=""):
    """Write the settings of one warehouse for several nights and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for night in nights:
        for name, value in night.environment.items():
            monkeypatch.setenv(name, value)
        lines.append(f'[accounts.{night.account}]\nsource = "{night.source}"')
        lines.append(night.config.format(**night.facts))
        lines.append(COMMON.format(extra=extra))
    file = folder / "orders.toml"
    file.write_text("\n".join(lines))
    settings = Settings.load(file)
    for night in nights:
        night.settings = settings
    return settings
