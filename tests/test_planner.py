"""The calls that a plan tells are the calls that the backfill makes."""

from datetime import UTC, datetime

import pytest

from orders_connector.sandbox.voucherify import Switches
from orders_connector.sources.base import Window
from orders_connector.sources.voucherify.loading.planner import MOST_QUESTIONS
from orders_connector.sync import backfill_account, plan_backfill
from tests.test_sync import no_wait

EVERYTHING = Window(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("size", "pages"),
    [
        pytest.param(1_500, 4, id="every_page_looked_at"),
        pytest.param(3_000, 12, id="some_pages_looked_at"),
    ],
)
@pytest.mark.parametrize("nulls", ["last", "first", "smallest", "largest"])
def test_the_plan_holds_wherever_orders_without_update_stand(
    start_shop, settings_for, nulls, size, pages
):
    box = start_shop(size, switches=Switches(listing_pages=pages, null_updated_at=nulls))
    settings = settings_for(box)
    plan = plan_backfill(settings, "shop", EVERYTHING)
    assert plan.questions == len(box.calls) <= MOST_QUESTIONS
    done = backfill_account(settings, "shop", EVERYTHING, sleep=no_wait)
    assert (done.status, done.hydrated.awaiting) == ("complete", 0)
    assert done.calls == pytest.approx(plan.calls, rel=0.05)


def test_the_plan_reckons_with_ties_that_each_answer_deals_anew(start_shop, settings_for):
    switches = Switches(listing_pages=10, null_updated_at="smallest", tie_order="shuffled")
    settings = settings_for(start_shop(2_500, switches=switches))
    plan = plan_backfill(settings, "shop", EVERYTHING)
    done = backfill_account(settings, "shop", EVERYTHING, sleep=no_wait)
    assert (done.status, done.hydrated.awaiting) == ("complete", 0)
    # With so few pages much is chance; at the real caps plans stay within 5 % here, too.
    assert done.calls == pytest.approx(plan.calls, rel=0.1)
