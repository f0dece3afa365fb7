"""Devices: cards and taggers, their libraries, settings and spools."""
