"""UltraCart: endpoints (``client``), answers (``models``), parts of an order (``expansions``)."""
