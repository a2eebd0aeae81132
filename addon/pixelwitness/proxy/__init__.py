"""The add-on for mitmproxy: thin hooks over the same path that a replay takes."""
