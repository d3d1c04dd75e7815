"""What readers get: the published copy, its Parquet, the kept versions, and who may see persons."""
