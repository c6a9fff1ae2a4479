"""The use cases. pipeline.py is the only place that creates tasks."""
