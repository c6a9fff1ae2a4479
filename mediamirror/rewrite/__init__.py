"""New addresses in old documents: which URLs move, how each is spelled where it stands, and the way back. Pure."""
