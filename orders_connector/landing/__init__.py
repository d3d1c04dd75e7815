"""The raw log: append, de-duplicate, watermark and coverage, in one transaction per load."""
