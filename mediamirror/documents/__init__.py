"""Where input comes from: paths, directories, globs, stdin, URLs."""
