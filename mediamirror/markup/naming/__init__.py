"""What an address says of its image: families, sizes in names, templates."""
