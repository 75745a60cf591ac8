"""What the rules ask: which code a job runs, where everything of a study lies."""
