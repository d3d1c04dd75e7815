"""How Voucherify's orders get into the warehouse: listing, exports, items, comparison."""
