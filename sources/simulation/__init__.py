"""Simulation: the parts of the simulated emitter."""
