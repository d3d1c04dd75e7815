"""Benchmarks against peers and targets; see docs/benchmarks.md. Run `python -m benchmarks`."""
