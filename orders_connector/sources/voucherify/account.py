"""What is configured about one Voucherify project."""

from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field, SecretStr, model_validator

from orders_connector.accounts import Account, BaseUrl, Hosts, Texts, VariableName
from orders_connector.hosts import host_of

__all__ = ["Credentials", "VoucherifyAccount"]

# (API host, export download host) of each region: Voucherify API overview, August 2026.
HOSTS: dict[str, tuple[str, str]] = {
    "eu": ("api.voucherify.io", "download.voucherify.io"),
    "us": ("us1.api.voucherify.io", "us1.download.voucherify.io"),
    "asia": ("as1.api.voucherify.io", "as1.download.voucherify.io"),
}


class Credentials(NamedTuple):
    """The two halves of an API key; printing it shows neither.

    Attributes:
        app_id: Public half (Voucherify: ``X-App-Id``).
        app_token: Secret half (Voucherify: ``X-App-Token``).
    """

    app_id: SecretStr
    app_token: SecretStr


class VoucherifyAccount(Account):
    """One Voucherify project: hosts, keys and how its orders are to be read."""

    lists: ClassVar[tuple[str, ...]] = (*Account.lists, "non_product_items")

    source: Literal["voucherify"] = Field(description='"voucherify"')
    region: Literal["eu", "us", "asia"] | None = Field(
        default=None, description="eu, us or asia; or leave it out and set base_url"
    )
    base_url: BaseUrl | None = Field(
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
        return f"https://{HOSTS[str(self.region)][0]}"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Each ``host[:port]`` that may be sent credentials: the API and the download hosts."""
        if self.download_hosts is not None:
            downloads = self.download_hosts
        else:
            downloads = HOSTS[self.region][1:] if self.region else ()
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
        return Credentials(*self.read_secrets())

    @property
    def secret_settings(self) -> tuple[str, ...]:
        """Settings that name the environment variables with this account's secrets."""
        return ("app_id_env", "app_token_env")
