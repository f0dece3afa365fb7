"""Ways to try a rule: on a simulated stream, in this process."""

from streamer.batch import analyse
from streamer.config import Settings


def tried(rules, address="simulate:steady", settings=None, **options):
    """(pipeline, record) of a simulated stream under these rules; options are those of the simulator."""
    values = {"stop": rules, "studies": (), **(settings or {})}
    pipeline = analyse(address, Settings(**values), {key: str(value) for key, value in options.items()})
    return pipeline, pipeline.stopping.record(pipeline.info.duration_s)
