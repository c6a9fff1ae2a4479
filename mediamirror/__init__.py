"""mediamirror: mirror responsive images and prove that every variant is what it claims to be."""
