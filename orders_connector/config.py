"""One typed settings object, read from ``orders.toml`` and the environment.

The environment wins over the file: ``ORDERS_WAREHOUSE__PATH`` overrides ``path`` of
``[warehouse]``, ``ORDERS_ACCOUNTS__SHOP__REGION`` overrides ``region`` of ``[accounts.shop]``.
Secrets are never settings: an account names the environment variables that hold its keys, and
they are read when a client is made. ``docs/configuration.md`` explains each setting.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from orders_connector.accounts import Account, Table, Texts, TimeZone, VariableName
from orders_connector.errors import ConfigurationError
from orders_connector.redaction import redact
from orders_connector.sources.registry import account_types

__all__ = ["Account", "Models", "Reader", "Schedule", "Settings", "Warehouse"]

CONFIG_VARIABLE = "ORDERS_CONFIG"
DEFAULT_FILE = "orders.toml"
NAMED_OR_NUMBERED = ("accounts", "readers")  # tables of which there are several
# Dagster names what is made for an account `<account>_<word>...`.
WORDS_OF_DAGSTER = ("exported", "hydrated", "reconciliation")


class Warehouse(Table):
    """Where the tables live, and the copy that readers use."""

    path: Path = Field(
        default=Path("data/orders.duckdb"),
        description="a file path, relative to the folder of the configuration file",
    )
    published: Path = Field(
        default=Path("data/published/orders.duckdb"),
        description="a file path other than `path`",
    )
    storage_version: str = Field(
        default="v1.4.0",
        pattern=r"^v\d+\.\d+\.\d+$",
        description='a DuckDB storage version, such as "v1.4.0"',
    )
    personal_data: Literal["plain", "hashed", "absent"] = Field(
        default="plain", description='"plain", "hashed" or "absent"'
    )
    personal_data_key_env: VariableName = Field(
        default="ORDERS_PERSONAL_DATA_KEY",
        description="the name of an environment variable, in capitals",
    )
    keep_versions: int = Field(default=3, ge=1, description="a whole number from 1")
    memory_limit: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)? ?([KMGT]i?B|%)$",
        description='an amount such as "2GB", "512MiB" or "60%"',
    )
    threads: int | None = Field(default=None, ge=1, description="a whole number from 1")
    lock_timeout_seconds: float = Field(default=60, ge=0, description="seconds from 0")

    @model_validator(mode="after")
    def _two_files(self) -> Self:
        if self.path == self.published:
            raise ValueError("`path` and `published` are the same file")
        return self

    def relative_to(self, folder: Path) -> Self:
        """Return a copy whose paths are absolute, taken from ``folder`` where they were not."""
        return self.model_copy(
            update={
                "path": folder / self.path.expanduser(),
                "published": folder / self.published.expanduser(),
            }
        )


class Schedule(Table):
    """When the nightly load runs."""

    cron: str = Field(
        default="15 2 * * *",
        pattern=r"^\S+( +\S+){4}$",
        description='five cron fields, such as "15 2 * * *"',
    )
    time_zone: TimeZone | Literal[""] = Field(
        default="",
        description="an IANA time zone, such as Europe/Berlin; "
        "when left out, the zone of the first account (after loading it is never empty)",
    )


class Models(Table):
    """Models of the installation, beside those of the product."""

    folder: Path | None = Field(
        default=None,
        description="a folder with staging/, core/ or marts/ below, relative to the folder of the "
        "configuration file",
    )

    def relative_to(self, folder: Path) -> Self:
        """Return a copy whose path is absolute, taken from ``folder`` where it was not."""
        if self.folder is None:
            return self
        return self.model_copy(update={"folder": folder / self.folder.expanduser()})


class Reader(Table):
    """Someone or something that reads the published copy."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="small letters, digits and _")
    kind: str = Field(
        default="report",
        pattern=r"^[a-z][a-z0-9_]*$",
        description='what it is, in small letters: "tableau", "metabase", "notebook"',
    )
    url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="an address with http(s)://"
    )
    owner: str | None = Field(
        default=None,
        pattern=r"^(team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})$",
        description='an e-mail address, or "team:" and a name',
    )
    reads: Texts = Field(
        min_length=1, description='a list of published tables, such as ["marts.daily_revenue"]'
    )


if TYPE_CHECKING:
    AnyAccount = Account
else:  # each source brings the settings of its accounts; `source` says which are meant
    _types = reduce(or_, account_types().values())
    AnyAccount = Annotated[_types, Field(discriminator="source")]


class Settings(BaseSettings):
    """All settings of one installation.

    Attributes:
        warehouse: Where the tables live.
        schedule: When the nightly load runs.
        models: Where the installation's own models are.
        readers: Who reads the published copy; what they read is checked with the models.
        accounts: The configured connections by their name, in the order of the file.
    """

    model_config = SettingsConfigDict(
        # Decoding off: it wants JSON for every variable below `accounts`, even for region.
        env_prefix="ORDERS_",
        env_nested_delimiter="__",
        extra="forbid",
        enable_decoding=False,
    )

    warehouse: Warehouse = Warehouse()
    schedule: Schedule = Schedule()
    models: Models = Models()
    readers: tuple[Reader, ...] = ()
    accounts: dict[str, AnyAccount] = Field(
        min_length=1, description="at least one table [accounts.NAME]"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor only; ``load`` merges file and environment."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _name_the_accounts(cls, values: Any) -> Any:  # noqa: ANN401 - not yet validated
        accounts = values.get("accounts")
        if not isinstance(accounts, dict):
            return values
        named = {
            name: {**account, "name": name} if isinstance(account, dict) else account
            for name, account in accounts.items()
        }
        return {**values, "accounts": named}

    @model_validator(mode="after")
    def _names_apart(self) -> Self:
        taken = {f"{name}_{word}": name for name in self.accounts for word in WORDS_OF_DAGSTER}
        for name in taken.keys() & self.accounts.keys():
            raise ValueError(
                f"accounts.{name}: what Dagster makes for accounts.{taken[name]} has this name "
                "already; choose another one"
            )
        return self

    @model_validator(mode="after")
    def _one_reader_per_name(self) -> Self:
        names = [reader.name for reader in self.readers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"readers: the name {name} is there twice; choose another one")
        return self

    @model_validator(mode="after")
    def _default_time_zone(self) -> Self:
        if not self.schedule.time_zone:
            zone = next(iter(self.accounts.values())).time_zone
            self.schedule = self.schedule.model_copy(update={"time_zone": zone})
        return self

    @classmethod
    def load(cls, path: Path | None = None) -> "Settings":
        """Read the configuration file and the environment.

        Args:
            path: The file. Default: the file named by ``ORDERS_CONFIG``, else ``orders.toml`` in
                the current directory.

        Returns:
            Checked settings with absolute paths.

        Raises:
            ConfigurationError: The file is missing or is not TOML (the message names every place
                that was looked at), or settings are missing, unknown or wrong (one message for
                all of them; values that could be secrets are not shown).
        """
        file = _find_file(path)
        try:
            from_file = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} is not valid TOML: {error}.") from None
        try:
            settings = cls(**_merged(from_file, EnvSettingsSource(cls)()))
        except ValidationError as error:
            problems = _explain(error)
        else:
            problems = []
        problems += _unknown_variables()
        if problems:
            raise ConfigurationError(
                f"{file} (with the environment variables ORDERS_...) has wrong settings:\n"
                + "\n".join(f"  - {problem}" for problem in problems)
            )
        settings.warehouse = settings.warehouse.relative_to(file.resolve().parent)
        settings.models = settings.models.relative_to(file.resolve().parent)
        return settings


def _find_file(path: Path | None) -> Path:
    if path is not None:
        file, why = path, "the path that was given"
    elif named := os.environ.get(CONFIG_VARIABLE):
        file, why = Path(named), f"named by the environment variable {CONFIG_VARIABLE}"
    else:
        file = Path.cwd() / DEFAULT_FILE
        why = f"in the current directory, as {CONFIG_VARIABLE} is not set"
    if not file.is_file():
        raise ConfigurationError(
            f"There is no configuration file at {file} ({why}). Copy orders.example.toml there, "
            f"or set {CONFIG_VARIABLE} to the path of yours."
        )
    return file


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(old, value)
        else:
            result[key] = value
    return result


def _unknown_variables() -> list[str]:
    """Notice ``ORDERS_WAREHOSE__PATH``, which pydantic-settings passes over silently."""
    problems = []
    for variable in sorted(os.environ):
        table, separator, _ = variable.removeprefix("ORDERS_").lower().partition("__")
        if variable.startswith("ORDERS_") and separator and table not in Settings.model_fields:
            problems.append(
                f"environment variable {variable}: there is no table [{table}]"
                + _did_you_mean(table, Settings.model_fields)
            )
    return problems


def _explain(error: ValidationError) -> list[str]:
    return [
        _explain_one(problem["loc"], problem["type"], problem["msg"], problem["input"])
        for problem in error.errors(include_url=False, include_context=False)
        # Follows from a wrong currency, which is reported itself.
        if problem["type"] != "default_factory_not_called"
    ]


def _explain_one(loc: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    table: type[BaseModel] = Settings
    if kind.startswith("union_tag"):
        known = ", ".join(f'"{source}"' for source in account_types())
        place = ".".join([*map(str, loc[:2]), "source"])
        given = value.get("source") if isinstance(value, dict) else None
        if given is None:
            return f"{place}: missing; allowed: {known}"
        return f"{place} = {redact(repr(given))}: not allowed; allowed: {known}"
    if loc[:1] == ("accounts",) and len(loc) > 3:
        # The third one is the source, which chose the settings that are known.
        table, key = account_types()[str(loc[2])], str(loc[3])
        loc = (*loc[:2], *loc[3:])
    elif loc[:1] == ("warehouse",) and len(loc) > 1:
        table, key = Warehouse, str(loc[1])
    elif loc[:1] == ("schedule",) and len(loc) > 1:
        table, key = Schedule, str(loc[1])
    elif loc[:1] == ("models",) and len(loc) > 1:
        table, key = Models, str(loc[1])
    elif loc[:1] == ("readers",) and len(loc) > 2:
        table, key = Reader, str(loc[2])
    else:
        key = str(loc[0]) if loc else ""
    place = ".".join(map(str, loc[:3] if loc and loc[0] in NAMED_OR_NUMBERED else loc[:2]))
    if kind == "extra_forbidden":
        return f"{place}: there is no such setting{_did_you_mean(key, table.model_fields)}"
    field = table.model_fields.get(key)
    allowed = f"; allowed: {field.description}" if field and field.description else ""
    if kind == "missing":
        return f"{place}: missing{allowed}"
    # The pattern itself helps nobody; what is allowed says the same in words.
    reason = "not allowed" if "pattern" in kind else message.removeprefix("Value error, ")
    if not loc:
        return reason
    if field is None or key.endswith("_env") or len(loc) < 2:
        return f"{place}: {reason}{allowed}"
    return f"{place} = {redact(repr(value))}: {reason}{allowed}"


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are: {', '.join(known)}"
