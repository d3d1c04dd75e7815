"""The promises of the model headers and the state of each account, as asset checks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_project.defs.labels import (
    POOL,
    as_markdown,
    exporting_accounts,
    extraction_key,
    model_key,
)
from dagster_project.defs.models import ModelAssets
from orders_connector.config import Settings
from orders_connector.load import check_models
from orders_connector.modeling.checks import CheckResult
from orders_connector.modeling.header import Check
from orders_connector.status import AccountStatus, read_status

__all__ = ["build_checks"]


def build_checks(settings: Settings, models: ModelAssets) -> list[dg.AssetChecksDefinition]:
    """Make all checks but the one that an extraction reports itself."""
    return [_model_checks(models), _account_checks(settings, models)]


def _model_checks(assets: ModelAssets) -> dg.AssetChecksDefinition:
    refreshed = [spec.key for spec in assets.refreshed]

    @dg.multi_asset_check(
        name="model_checks",
        specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                # The refresh builds the marts as well, but not as its own products.
                additional_deps=[] if key in refreshed else refreshed,
                description=_explained(check),
                blocking=check.severity == "error",
            )
            for name, model in assets.models.items()
            for key in [model_key(name)]
            for check in model.header.checks
        ],
        can_subset=True,
        pool=POOL,
    )
    def model_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Tests the promises of the chosen models; an error keeps the published copy as it is."""
        chosen = context.selected_asset_check_keys
        names = {".".join(key.asset_key.path) for key in chosen}
        models = [model for name, model in assets.models.items() if name in names]
        for result in check_models(assets.settings, models):
            if dg.AssetCheckKey(model_key(result.model), result.name) in chosen:
                yield _check_result(result)

    return model_checks


def _account_checks(settings: Settings, models: ModelAssets) -> dg.AssetChecksDefinition:
    refreshed = [spec.key for spec in models.refreshed]

    @dg.multi_asset_check(
        name="account_checks",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=extraction_key(account),
                additional_deps=refreshed,  # typing, too, puts rows into quarantine
                description=description,
            )
            for accounts, name, description in (
                (
                    settings.accounts,
                    "coverage_has_no_gap",
                    "All time since history_start is proven complete.",
                ),
                (
                    settings.accounts,
                    "quarantine_is_empty",
                    "Every order is in the figures as it stands now.",
                ),
                (
                    [account.name for account in exporting_accounts(settings)],
                    "items_are_complete",
                    "No order is known from an export alone, without items.",
                ),
            )
            for account in accounts
        ],
        can_subset=True,
        pool=POOL,
    )
    def account_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        """Says which time is not proven and which orders are missing; stops nothing."""
        chosen = context.selected_asset_check_keys
        status = read_status(settings)
        reasons = [f"{rows:,} rows: {reason}" for reason, rows in status.quarantine]
        for account in status.accounts:
            for result in _account_results(account, reasons):
                if result.asset_key and result.check_name:
                    key = dg.AssetCheckKey(result.asset_key, result.check_name)
                    if key in chosen:
                        yield result

    return account_checks


def _account_results(account: AccountStatus, reasons: list[str]) -> list[dg.AssetCheckResult]:
    known = account.last.known_orders if account.last else 0
    return [
        dg.AssetCheckResult(
            check_name="coverage_has_no_gap",
            asset_key=extraction_key(account.name),
            passed=bool(account.proven) and not account.gaps,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "proven": ", ".join(str(window) for window in account.proven) or "nothing",
                "missing": ", ".join(str(window) for window in account.gaps) or "nothing",
            },
        ),
        dg.AssetCheckResult(
            check_name="quarantine_is_empty",
            asset_key=extraction_key(account.name),
            passed=account.quarantined == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"orders": account.quarantined, "reasons_of_all_accounts": reasons},
        ),
        dg.AssetCheckResult(
            check_name="items_are_complete",
            asset_key=extraction_key(account.name),
            passed=account.awaiting_items == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "orders_awaiting_items": account.awaiting_items,
                "orders": known,
                "share": account.awaiting_items / max(1, known),
            },
        ),
    ]


def _check_result(result: CheckResult) -> dg.AssetCheckResult:
    metadata: dict[str, int | dg.MetadataValue[Any]] = {"failing_rows": result.failing}
    if result.sample:
        columns = list(result.sample[0])
        rows = [list(row.values()) for row in result.sample]
        metadata["sample"] = as_markdown(columns, rows)
    return dg.AssetCheckResult(
        check_name=result.name,
        asset_key=model_key(result.model),
        passed=result.passed,
        severity=getattr(dg.AssetCheckSeverity, result.severity.upper()),
        metadata=metadata,
    )


def _explained(check: Check) -> str:
    columns = ", ".join(check.columns)
    match check.rule:
        case "unique":
            return f"No two rows share the same ({columns})."
        case "not_null":
            return f"No row lacks any of {columns}."
        case "accepted_values":
            return f"{columns} is one of {', '.join(check.values)}."
        case "relation":
            return f"Every ({columns}) exists in {check.to}."
        case "formula":
            return f"For every row: `{check.holds}`."
        case "totals":
            return (
                f"Per {', '.join(check.by)}: the sum of `{check.sum}` here is that of "
                f"`{check.their_sum or check.sum}` in {check.to}."
            )
        case "volume":
            return (
                f"No complete day of the last two weeks has far less or far more {check.count} "
                "than the same weekday of the weeks before."
            )
