"""The main job: fetch each variant, look at it, publish it."""
