"""The report: every answer of a study on one page that needs nothing else."""
