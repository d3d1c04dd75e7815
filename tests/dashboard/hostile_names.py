"""Names of products and coupons that would break a page, or a spreadsheet, that trusts them."""

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
FORMULA = "=2+5"
