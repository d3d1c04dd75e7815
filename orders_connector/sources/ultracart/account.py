"""What is configured about one UltraCart merchant."""

from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from orders_connector.accounts import Account, BaseUrl, Texts, VariableName

__all__ = ["UltraCartAccount", "UltraCartOAuth"]


class UltraCartOAuth(NamedTuple):
    """What an OAuth application of UltraCart renews its access with; printing it shows neither.

    Attributes:
        client_id: Id of the application.
        refresh_token: What the merchant's consent gave.
    """

    client_id: SecretStr
    refresh_token: SecretStr


class UltraCartAccount(Account):
    """One UltraCart merchant: host, key and limits.

    The currency is the merchant's base currency, which no order names.
    """

    recognised_statuses: Texts = Field(
        default=("Shipping Department", "Completed Order"),
        min_length=1,
        description="one or more stages, such as Completed Order",
    )
    reread_days: int = Field(default=35, ge=0, description="whole days from 0")
    source: Literal["ultracart"] = Field(description='"ultracart"')
    base_url: BaseUrl = Field(
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
    def pace(self) -> str:
        """Limits that loads keep because the source tells none, in words."""
        return f"{self.calls_per_hour:,} calls per hour and {self.calls_per_day:,} per day"

    def simple_key(self) -> SecretStr:
        """Read the simple key from the environment.

        Raises:
            ConfigurationError: The variable is not set or empty; the message names it.
        """
        (key,) = self.read_secrets()
        return key

    def oauth(self) -> UltraCartOAuth:
        """Read what buys access tokens from the environment.

        Raises:
            ConfigurationError: A variable is not set or empty; the message names it.
        """
        return UltraCartOAuth(*self.read_secrets())

    @property
    def secret_settings(self) -> tuple[str, ...]:
        """Settings that name the environment variables with this account's secrets."""
        if self.auth == "oauth":
            return ("client_id_env", "refresh_token_env")
        return ("simple_key_env",)
