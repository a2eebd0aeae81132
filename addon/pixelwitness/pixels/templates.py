"""Template tokens that nobody filled in: `{{user.email}}`, `%%EMAIL%%`, `<%= customer.phone %>`.

Careful the other way round: what stands between the marks may be the value itself (`<%Jane%>`). So a token is only
what reads like the name of a variable, in words that variables of this kind are named by.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

MAX_TOKEN = 120
"""Characters of a token, with its marks."""
MANY_DIGITS = re.compile(r"(?:\d[^A-Za-z]{0,2}){5}")
FILTERS = re.compile(r"(?:\s*\|\s*[\w:.,'\" ()-]{1,60})+\Z")
"""What a template language does with a value before it prints it."""
PATH = re.compile(r"[A-Za-z_$][\w$]*(?:\.[\w$]+|\[['\"]?[\w$]+['\"]?\])*")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")


def is_token(text: str, marks: Sequence[tuple[str, str]], words: Collection[str]) -> bool:
    """Whether a text is one template token. `marks` are opening and closing ones, `words` in lower case."""
    if len(text) > MAX_TOKEN:
        return False
    inner = next((text[len(a) : -len(b)] for a, b in marks if _between(text, a, b)), None)
    return inner is not None and _names_a_variable(inner.strip(), words)


def _between(text: str, opening: str, closing: str) -> bool:
    return len(text) >= len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing)


def _names_a_variable(inner: str, words: Collection[str]) -> bool:
    if not inner:
        return True
    if MANY_DIGITS.search(inner):
        return False
    name = FILTERS.sub("", inner).strip()
    known = [word.lower() in words for word in WORD.findall(name)]
    if PATH.fullmatch(name):
        return any(known)
    # Names with spaces, as tag managers have them: every word must be one, or it may be the value.
    return bool(known) and all(known) and re.fullmatch(r"[\w\s.:/()-]+", name) is not None
