"""Panels: one file each."""
