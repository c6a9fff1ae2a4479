"""HTML: elements, attributes, scripts, lazy loaders."""
