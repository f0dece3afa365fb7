"""Layouts: headers and records of the formats, one or more files each."""
