"""The Dagster side of orders-connector: thin assets over the library."""

import warnings

import dagster as dg

# BackfillPolicy is what makes a range of days one run. That it is beta is known here and pinned in
# pyproject.toml; without this every command would say so a dozen times.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
