"""Findings and outcomes rendered for people and machines."""
