"""The nights of all sources, by the source's name."""

from tests.invariants.licensespring_night import LicenseSpringNight
from tests.invariants.ultracart_night import UltraCartNight
from tests.invariants.voucherify_night import VoucherifyNight

NIGHTS = {night.source: night for night in (LicenseSpringNight, UltraCartNight, VoucherifyNight)}
