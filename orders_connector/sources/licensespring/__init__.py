"""LicenseSpring: endpoints (``client``), answers (``models``), what is not stored (``secrets``)."""
