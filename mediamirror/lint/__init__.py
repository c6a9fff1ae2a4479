"""Facts and expectations to findings. Pure; one function per rule."""
