"""Reads sql/, orders the models, decides what is stale and rebuilds slices."""
