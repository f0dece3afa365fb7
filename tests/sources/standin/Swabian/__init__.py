"""Stand-in for the namespace of the vendor's package."""
