"""What is configured about one vendor company at LicenseSpring."""

from typing import Literal

from pydantic import Field, SecretStr

from orders_connector.accounts import Account, BaseUrl, Currency, Texts, VariableName

__all__ = ["LicenseSpringAccount"]


class LicenseSpringAccount(Account):
    """One vendor company at LicenseSpring: host, key and pace.

    The source knows no money, so no figure reads the currency.
    """

    currency: Currency = Field(
        default="XXX", description='an ISO 4217 code; "XXX", for no currency, when left out'
    )
    recognised_statuses: Texts = Field(
        default=("issued",), min_length=1, description="one or more of issued, trial and test"
    )
    source: Literal["licensespring"] = Field(description='"licensespring"')
    base_url: BaseUrl = Field(
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
    def pace(self) -> str:
        """Limits that loads keep because the source tells none, in words."""
        return f"{self.requests_per_second:g} requests per second"

    def api_key(self) -> SecretStr:
        """Read the management API key from the environment.

        Raises:
            ConfigurationError: The variable is not set or empty; the message names it.
        """
        (key,) = self.read_secrets()
        return key

    @property
    def secret_settings(self) -> tuple[str, ...]:
        """Settings that name the environment variables with this account's secrets."""
        return ("api_key_env",)
