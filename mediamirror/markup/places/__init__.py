"""Where a thing stands: bytes, spans, references, escapes."""
