"""`python -m streamer`, the same as the console script: how child processes are started on every system."""

from streamer.cli import main

if __name__ == "__main__":
    main()
