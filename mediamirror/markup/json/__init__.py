"""Pictures and names in JSON documents."""
