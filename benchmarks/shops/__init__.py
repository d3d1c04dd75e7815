"""Every source as the benchmarks use it, by its name."""

from benchmarks.shop import Shop
from benchmarks.shops.licensespring import LICENSESPRING
from benchmarks.shops.ultracart import ULTRACART
from benchmarks.shops.voucherify import VOUCHERIFY

SHOPS: dict[str, Shop] = {shop.source: shop for shop in (VOUCHERIFY, ULTRACART, LICENSESPRING)}
