"""The engine: photons to numbers; no vendor format and no widget."""
