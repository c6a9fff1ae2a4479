"""The HTML and CSS standards' own algorithms, and nothing else."""
