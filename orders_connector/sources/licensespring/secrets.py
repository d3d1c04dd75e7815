"""Which values of LicenseSpring's answers are secrets: license keys, and users' first passwords.

They are replaced before anything of an answer is stored; `sources.secrets` says how.
"""

from orders_connector.sources.secrets import MARK, SecretNames

__all__ = ["MARK", "SECRETS", "SECRET_FIELDS", "redacted"]

# What the documentation shows, and the names beside it that could only mean the same.
SECRET_FIELDS = (
    "license_key",
    "license_keys",
    "initial_password",
    "password",
    "passwords",
    "new_password",
)
# Flags such as `is_initial_password` are no secrets and stay.
SECRETS = SecretNames(("license_key", "password"))

redacted = SECRETS.redacted
