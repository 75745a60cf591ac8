"""Samples scored, and scores compared: measures, intervals, verdicts."""
