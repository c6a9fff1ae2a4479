"""Objects by key: one Protocol, several stores, one conformance suite."""
