"""URL to bytes, politely and safely. The only owner of the HTTP client."""
