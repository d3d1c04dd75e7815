"""The APIs that orders come from; what each must offer stands in ``base``."""
