"""One module per step of the load; each builds its definitions from the settings."""
