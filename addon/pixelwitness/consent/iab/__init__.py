"""The IAB's consent strings, and Google's additional consent: own readers, from the specifications.

They know nothing of cookies, requests or rules. Every reader raises ValueError, and nothing else, for what is not its
string, and takes time in proportion to the string's length.
"""
