"""Stopping: whether a verdict on g2(0) that may come at any moment keeps its promise, and what it saves."""
