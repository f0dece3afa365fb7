"""Survey: many dots under the same stop rules, one row each: what was found out, and for how much exposure."""

from streamer.survey.dots import Dot, Plan
from streamer.survey.marked import run_marked
from streamer.survey.run import run_survey
from streamer.survey.served import Served
from streamer.survey.table import Row, values_of

__all__ = ["Dot", "Plan", "Row", "Served", "run_marked", "run_survey", "values_of"]
