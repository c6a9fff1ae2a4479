"""``verify --mirror``: reads again what a mirror holds, judges it and mends it."""
