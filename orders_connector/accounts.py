"""What is configured about one account: hosts, keys and how its orders are to be read."""

import json
import os
import zoneinfo
from abc import abstractmethod
from datetime import date
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from babel.numbers import get_currency_precision, list_currencies
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)

from orders_connector.errors import ConfigurationError
from orders_connector.hosts import host_of, is_loopback
from orders_connector.public_holidays import known_region

__all__ = [
    "Account",
    "BaseUrl",
    "Currency",
    "Hosts",
    "Table",
    "Texts",
    "TimeZone",
    "VariableName",
]


def _known_time_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("not an IANA time zone")
    return value


def _known_currency(value: str) -> str:
    if value not in list_currencies():
        raise ValueError("not an ISO 4217 code")
    return value


def _plain_base_url(value: str) -> str:
    url = urlsplit(value)
    if not url.hostname or url.username or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("not a plain https://host")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
        raise ValueError("only loopback hosts may be asked without TLS")
    return value.rstrip("/").lower()


def _list_from_text(value: object) -> object:
    """Read a list from an environment variable: ``PAID,FULFILLED`` or ``["PAID"]``."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return json.loads(value)
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Currency = Annotated[str, AfterValidator(_known_currency)]
TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_list_from_text)]
Hosts = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$")], ...],
    BeforeValidator(_list_from_text),
]
BaseUrl = Annotated[str, AfterValidator(_plain_base_url)]
HolidayRegion = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}(-\w+)?$"), AfterValidator(known_region)
]
# Upper case only, so that a key pasted here by mistake is refused before it can appear anywhere.
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
JsonPath = Annotated[str, StringConstraints(pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*(\[\d+\])*)+$")]
_JSON_PATH = "a path such as $.metadata.ordered_at or $.metadata.dates[0]"


class Table(BaseModel):
    """A table of the file: no unknown keys, no change after loading.

    The description of each field completes the sentence "allowed: ..." in error messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(Table):
    """What the accounts of every source have in common.

    Attributes:
        lists: Names of settings that models read as lists.
    """

    lists: ClassVar[tuple[str, ...]] = ("recognised_statuses",)

    source: str
    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="a table name of lower-case letters, digits and _, starting with a letter",
    )
    currency: Currency = Field(description='an ISO 4217 code, such as "EUR"')
    minor_unit_exponent: int = Field(
        default_factory=lambda known: get_currency_precision(known["currency"]),
        ge=0,
        le=4,
        description="decimal places of one minor unit, 0 to 4",
    )
    time_zone: TimeZone = Field(description="an IANA time zone, such as Europe/Warsaw")
    holidays: HolidayRegion | None = Field(
        default=None,
        description='an ISO 3166 code of a country or a part of one, such as "PL" or "DE-BY"',
    )
    recognised_statuses: Texts = Field(
        default=("PAID", "FULFILLED"), min_length=1, description="one or more order statuses"
    )
    business_date_path: JsonPath | None = Field(default=None, description=_JSON_PATH)
    currency_path: JsonPath | None = Field(default=None, description=_JSON_PATH)
    test_order_path: JsonPath | None = Field(default=None, description=_JSON_PATH)
    history_start: date = Field(
        description="the first UTC day that a first load covers, such as 2024-01-01"
    )
    overlap_minutes: int = Field(default=10, ge=0, description="whole minutes from 0")
    max_calls_per_run: int | None = Field(default=None, ge=1, description="a whole number from 1")
    calls_per_cycle: int | None = Field(default=None, ge=1, description="a whole number from 1")
    cycle_start_day: int = Field(default=1, ge=1, le=28, description="a day of the month, 1 to 28")
    reserve: float = Field(default=0.1, ge=0, le=0.9, description="a share from 0 to 0.9")
    hydration_calls_per_run: int = Field(default=1_000, ge=0, description="a whole number from 0")
    # None: nightly where exports make it cheap, weekly where every order has to be read.
    reconcile_every_days: int | None = Field(default=None, ge=1, description="whole days from 1")
    export_timeout_seconds: float = Field(default=1_800, gt=0, description="seconds above 0")
    timeout_seconds: float = Field(default=30, gt=0, description="seconds above 0")
    max_attempts: int = Field(default=5, ge=1, le=20, description="a whole number from 1 to 20")
    max_wait_seconds: float = Field(default=900, ge=0, description="seconds from 0")

    @property
    @abstractmethod
    def resolved_base_url(self) -> str:
        """Address of the API without a trailing slash."""

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Each ``host[:port]`` that may be sent credentials."""
        return frozenset({host_of(self.resolved_base_url)})

    @property
    def pace(self) -> str:
        """Limits that loads keep because the source tells none, in words; empty when it does."""
        return ""

    @property
    @abstractmethod
    def secret_settings(self) -> tuple[str, ...]:
        """Settings that name the environment variables with this account's secrets."""

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """Names of the environment variables with this account's secrets."""
        return tuple(str(getattr(self, setting)) for setting in self.secret_settings)

    def read_secrets(self) -> tuple[SecretStr, ...]:
        """Read the secrets from the environment, in the order of `secret_variables`.

        Raises:
            ConfigurationError: A variable is not set or empty; the message names it.
        """
        names = self.secret_variables
        values = [os.environ.get(name, "").strip() for name in names]
        missing = [name for name, value in zip(names, values, strict=True) if not value]
        if missing:
            raise ConfigurationError(
                f"No credentials for account {self.name}: environment variable "
                f"{' and '.join(missing)} is not set or empty. Set it, or name another one in "
                f"{' and '.join(self.secret_settings)} of [accounts.{self.name}]."
            )
        return tuple(SecretStr(value) for value in values)
