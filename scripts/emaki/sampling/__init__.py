"""Pictures drawn with a model: prompts, pipelines, and the samples as files."""
