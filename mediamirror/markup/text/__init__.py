"""Image candidates in prose and crawled text."""
