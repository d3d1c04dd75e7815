"""The dashboard: one page, made of the published copy, that needs no network and no service."""
