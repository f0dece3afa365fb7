"""Estimators: pure functions from summed tables to numbers with errors."""
