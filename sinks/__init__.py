"""Sinks: each file writes Results or photons to one kind of file."""
