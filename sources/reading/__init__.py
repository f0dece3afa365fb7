"""Reading: what all recordings share, from a format's events to chunks in order."""
