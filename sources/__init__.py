"""Sources: each file turns one vendor format or device into Chunks."""
