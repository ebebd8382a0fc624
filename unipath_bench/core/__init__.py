"""What everything rests on: errors, digests, files, parsing, the console, HTTP and the registry."""
