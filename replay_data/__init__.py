"""Small recordings made by the project itself, with their truth."""
