"""Speed of this program beside its peers: `python -m benchmarks`; how it is measured is told in docs/speed.md."""
