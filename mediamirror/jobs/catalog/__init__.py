"""Asks, rebuilds, compacts and exports the catalog."""
