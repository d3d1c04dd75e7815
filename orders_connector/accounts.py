"""What is configured about one account: hosts, keys and how its orders are to be read."""

import json
import os
import zoneinfo
from datetime import date
from typing import Annotated, Literal, NamedTuple, Self
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
    model_validator,
)

from orders_connector.errors import ConfigurationError
from orders_connector.hosts import host_of, is_loopback

__all__ = [
    "Account",
    "Credentials",
    "LicenseSpringAccount",
    "Table",
    "TimeZone",
    "UltraCartAccount",
    "UltraCartOAuth",
    "VoucherifyAccount",
]

# (API host, export download host) of each region: Voucherify API overview, August 2026.
_VOUCHERIFY_HOSTS: dict[str, tuple[str, str]] = {
    "eu": ("api.voucherify.io", "download.voucherify.io"),
    "us": ("us1.api.voucherify.io", "us1.download.voucherify.io"),
    "asia": ("as1.api.voucherify.io", "as1.download.voucherify.io"),
}


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


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_list_from_text)]
Hosts = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$")], ...],
    BeforeValidator(_list_from_text),
]
# Upper case only, so that a key pasted here by mistake is refused before it can appear anywhere.
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
JsonPath = Annotated[str, StringConstraints(pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*(\[\d+\])*)+$")]
_JSON_PATH = "a path such as $.metadata.ordered_at or $.metadata.dates[0]"


class Credentials(NamedTuple):
    """The two halves of an API key; printing it shows neither.

    Attributes:
        app_id: Public half (Voucherify: ``X-App-Id``).
        app_token: Secret half (Voucherify: ``X-App-Token``).
    """

    app_id: SecretStr
    app_token: SecretStr


class UltraCartOAuth(NamedTuple):
    """What an OAuth application of UltraCart renews its access with; printing it shows neither.

    Attributes:
        client_id: Id of the application.
        refresh_token: What the merchant's consent gave.
    """

    client_id: SecretStr
    refresh_token: SecretStr


class Table(BaseModel):
    """A table of the file: no unknown keys, no change after loading.

    The description of each field completes the sentence "allowed: ..." in error messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Account(Table):
    """What the accounts of every source have in common."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="a table name of lower-case letters, digits and _, starting with a letter",
    )
    currency: Annotated[str, AfterValidator(_known_currency)] = Field(
        description='an ISO 4217 code, such as "EUR"'
    )
    minor_unit_exponent: int = Field(
        default_factory=lambda known: get_currency_precision(known["currency"]),
        ge=0,
        le=4,
        description="decimal places of one minor unit, 0 to 4",
    )
    time_zone: TimeZone = Field(description="an IANA time zone, such as Europe/Warsaw")
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
    export_timeout_seconds: float = Field(default=1_800, gt=0, description="seconds above 0")
    timeout_seconds: float = Field(default=30, gt=0, description="seconds above 0")
    max_attempts: int = Field(default=5, ge=1, le=20, description="a whole number from 1 to 20")
    max_wait_seconds: float = Field(default=900, ge=0, description="seconds from 0")


class VoucherifyAccount(_Account):
    """One Voucherify project: hosts, keys and how its orders are to be read."""

    source: Literal["voucherify"] = Field(description='"voucherify"')
    region: Literal["eu", "us", "asia"] | None = Field(
        default=None, description="eu, us or asia; or leave it out and set base_url"
    )
    base_url: Annotated[str, AfterValidator(_plain_base_url)] | None = Field(
        default=None,
        description="https://host[:port] without a path (http for loopback hosts only); "
        "or leave it out and set region",
    )
    download_hosts: Hosts | None = Field(
        default=None, description="a list of lower-case host[:port] without a scheme"
    )
    auth: Literal["keys", "oauth"] = Field(default="keys", description="keys or oauth")
    app_id_env: VariableName = Field(
        default="VOUCHERIFY_APP_ID",
        description="the NAME of an environment variable in upper case, not the key itself",
    )
    app_token_env: VariableName = Field(
        default="VOUCHERIFY_APP_TOKEN",
        description="the NAME of an environment variable in upper case, not the key itself",
    )
    non_product_items: Texts = Field(
        # The shipping line of Voucherify has this fixed product id.
        default=("prod_5h1pp1ng",),
        description="a list of product ids or source ids",
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.region is None) == (self.base_url is None):
            raise ValueError("set one of `region` and `base_url`")
        return self

    @property
    def resolved_base_url(self) -> str:
        """Address of the API without a trailing slash."""
        if self.base_url is not None:
            return self.base_url
        return f"https://{_VOUCHERIFY_HOSTS[str(self.region)][0]}"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Each ``host[:port]`` that may be sent credentials: the API and the download hosts."""
        if self.download_hosts is not None:
            downloads = self.download_hosts
        else:
            downloads = _VOUCHERIFY_HOSTS[self.region][1:] if self.region else ()
        return frozenset({host_of(f"https://{host}") for host in downloads}) | {
            host_of(self.resolved_base_url)
        }

    def credentials(self) -> Credentials:
        """Read the key pair from the environment.

        Returns:
            Application id and secret token.

        Raises:
            ConfigurationError: A variable is not set or empty; the message names it.
        """
        missing = [
            name for name in (self.app_id_env, self.app_token_env) if not os.environ.get(name)
        ]
        if missing:
            raise ConfigurationError(
                f"No credentials for account {self.name}: environment variable "
                f"{' and '.join(missing)} is not set or empty. Set it, or name another one in "
                f"app_id_env and app_token_env of [accounts.{self.name}]."
            )
        return Credentials(
            SecretStr(os.environ[self.app_id_env].strip()),
            SecretStr(os.environ[self.app_token_env].strip()),
        )


class LicenseSpringAccount(_Account):
    """One vendor company at LicenseSpring: host, key and pace.

    The currency is that of the vendor's books; the source itself knows no money.
    """

    source: Literal["licensespring"] = Field(description='"licensespring"')
    base_url: Annotated[str, AfterValidator(_plain_base_url)] = Field(
        default="https://saas.licensespring.com",
        description="https://host[:port] without a path (http for loopback hosts only)",
    )
    api_key_env: VariableName = Field(
        default="LICENSESPRING_API_KEY",
        description="the NAME of an environment variable in upper case, not the key itself",
    )
    # No limit is documented and none is told in headers, so politeness is up to us.
    requests_per_second: float = Field(
        default=4, gt=0, le=100, description="a number above 0, up to 100"
    )

    @property
    def resolved_base_url(self) -> str:
        """Address of the API without a trailing slash."""
        return self.base_url

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Each ``host[:port]`` that may be sent the key: the API's own only."""
        return frozenset({host_of(self.base_url)})

    def api_key(self) -> SecretStr:
        """Read the management API key from the environment.

        Raises:
            ConfigurationError: The variable is not set or empty; the message names it.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise ConfigurationError(
                f"No credentials for account {self.name}: environment variable "
                f"{self.api_key_env} is not set or empty. Set it, or name another one in "
                f"api_key_env of [accounts.{self.name}]."
            )
        return SecretStr(key)


class UltraCartAccount(_Account):
    """One UltraCart merchant: host, key and limits.

    The currency is the merchant's base currency, which no order names.
    """

    source: Literal["ultracart"] = Field(description='"ultracart"')
    base_url: Annotated[str, AfterValidator(_plain_base_url)] = Field(
        default="https://secure.ultracart.com",
        description="https://host[:port] without a path (http for loopback hosts only)",
    )
    auth: Literal["key", "oauth"] = Field(default="key", description="key or oauth")
    simple_key_env: VariableName = Field(
        default="ULTRACART_SIMPLE_KEY",
        description="the NAME of an environment variable in upper case, not the key itself",
    )
    client_id_env: VariableName = Field(
        default="ULTRACART_CLIENT_ID",
        description="the NAME of an environment variable in upper case, not the id itself",
    )
    refresh_token_env: VariableName = Field(
        default="ULTRACART_REFRESH_TOKEN",
        description="the NAME of an environment variable in upper case, not the token itself",
    )
    # Told in no header; UltraCart's defaults, per application and per IP address.
    calls_per_hour: int = Field(default=1_000, ge=1, description="a whole number from 1")
    calls_per_day: int = Field(default=10_000, ge=1, description="a whole number from 1")

    @property
    def resolved_base_url(self) -> str:
        """Address of the API without a trailing slash."""
        return self.base_url

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Each ``host[:port]`` that may be sent credentials: the API's own only."""
        return frozenset({host_of(self.base_url)})

    def simple_key(self) -> SecretStr:
        """Read the simple key from the environment.

        Raises:
            ConfigurationError: The variable is not set or empty; the message names it.
        """
        return self._secrets("simple_key_env")[0]

    def oauth(self) -> UltraCartOAuth:
        """Read what buys access tokens from the environment.

        Raises:
            ConfigurationError: A variable is not set or empty; the message names it.
        """
        return UltraCartOAuth(*self._secrets("client_id_env", "refresh_token_env"))

    def _secrets(self, *settings: str) -> list[SecretStr]:
        names = [str(getattr(self, setting)) for setting in settings]
        values = [os.environ.get(name, "").strip() for name in names]
        missing = [name for name, value in zip(names, values, strict=True) if not value]
        if missing:
            raise ConfigurationError(
                f"No credentials for account {self.name}: environment variable "
                f"{' and '.join(missing)} is not set or empty. Set it, or name another one in "
                f"{' and '.join(settings)} of [accounts.{self.name}]."
            )
        return [SecretStr(value) for value in values]


# With the second source this becomes a union discriminated by `source`; code that takes an
# Account needs no change then.
Account = VoucherifyAccount
