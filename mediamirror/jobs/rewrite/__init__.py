"""``rewrite``: pages that load their images from the mirror, and the way back."""
