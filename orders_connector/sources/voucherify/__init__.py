"""Voucherify: endpoints (``client``), answers (``models``), complete reading (``extraction``)."""
