"""Where the fuzzing starts: the small files of `corpus/`, and the examples that the rules carry."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.targets import CALLS, USES
from support import BOOK, ROOT

CORPUS = Path(__file__).parent / "corpus"


def _cookies() -> list[bytes]:
    examples = [e for r in BOOK.consent for e in r.examples if e.cookie]
    return ["; ".join(f"{k}={v}" for k, v in {e.cookie: e.value, **e.companions}.items()).encode() for e in examples]


def _decoders() -> list[bytes]:
    values = {}
    for rule in BOOK.consent:
        for cookie in rule.cookies:
            index = USES.index((cookie.decoder, json.dumps(cookie.params)))
            for example in rule.examples:
                if example.cookie == cookie.name or (example.cookie and cookie.pattern):
                    beside = "\n".join(f"{k}={v}" for k, v in example.companions.items())
                    values[index, example.value] = f"{example.value}\n{beside}"
    for probe in BOOK.probe:
        for how in (*probe.storage, *probe.apis):
            index = USES.index((how.decoder, json.dumps(how.params)))
            values |= {(index, e.value): e.value for e in probe.examples}
    return [index.to_bytes(2, "big") + text.encode() for (index, _), text in values.items()]


def _calls() -> list[bytes]:
    made = []
    for number, (rule, _) in enumerate(CALLS):
        for example in next(r for r in BOOK.consent if r.id == rule).examples:
            if example.url is not None:
                query = example.url.partition("?")[2]
                made.append(bytes([number % 256]) + f"{query}\n{example.body}".encode())
    return made


def _messages() -> list[bytes]:
    examples = [e for p in BOOK.pixels for endpoint in p.endpoints for e in endpoint.examples]
    return [bytes([kind]) + e.body.encode() for kind in range(4) for e in examples if e.body]


def _strings() -> list[bytes]:
    values = [e.value for r in BOOK.consent if r.id in ("tcf", "gpp", "usp", "ac") for e in r.examples if e.value]
    return [v.encode() for v in values]


def _rules() -> list[bytes]:
    kinds = ("consent/klaro", "probe/klaro", "pixels/tiktok/loader", "regimes/br", "findings/gpc-ignored",
             "traffic/meta", "blind_spots", "judging", "identity", "destinations", "contexts")  # fmt: skip
    return [bytes([i]) + (ROOT / "rules" / f"{name}.yaml").read_bytes() for i, name in enumerate(kinds)]


FROM_RULES = {
    "cookies": _cookies, "consent_command": lambda: [*_cookies(), *_strings()], "consent_decoder": _decoders,
    "call": _calls, "message": _messages, "first_party_copy": lambda: [m[1:] for m in _messages()],
    "app_batch": lambda: [m[1:] for m in _messages()], "strings": _strings, "rules": _rules,
    "masking": lambda: [m[1:] for m in _messages()],
}  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """The starting points of one target: never none."""
    files = sorted((CORPUS / target).glob("*")) if (CORPUS / target).is_dir() else []
    made = [f.read_bytes() for f in files] + FROM_RULES.get(target, list)()
    assert made, f"no corpus for {target}"
    return list(dict.fromkeys(made))
