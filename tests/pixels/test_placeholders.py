"""What stands for nothing must not count as identity, and identity must not pass for what stands for nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from pixelwitness.identity.people import NOBODY, People, load_people
from pixelwitness.ingest import observe_request
from pixelwitness.observations import Hit
from support import BOOK, hit

JANE = "jane.doe@example.com"
PEOPLE = """personas:
  - {name: Chris, first_name: Chris, last_name: "Null", external_id: unknown, email: chris@example.org}
  - {name: Nobody, control: true, last_name: "Undefined", email: never.typed@example.org}
"""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


RAW = base64.b64encode(hashlib.sha256(JANE.encode()).digest()).decode()


def sent(user: dict[str, Any], people: People = NOBODY) -> Hit:
    (made,) = observe_request(hit(0, user=user), BOOK, people).hits
    return made


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    path: Path = tmp_path_factory.mktemp("people") / "people.yaml"
    path.write_text(PEOPLE, "utf-8")
    return load_people(path, BOOK.identity)


@pytest.mark.parametrize(
    "user",
    [
        {"email": sha("null")}, {"email": sha("NULL")}, {"email": "undefined"}, {"phone_number": sha("")},
        {"email": "{email}"}, {"email": "*|EMAIL|*"}, {"email": "{{ customer['email'] | downcase | sha256 }}"},
        {"first_name": "{{first_name}}"}, {"external_id": "{{DLV - Customer ID}}"}, {"email": "[object Undefined]"},
        {"email": "{{user.email}}"}, {"email": "${email}"}, {"email": "%%EMAIL%%"}, {"email": "<%= email %>"},
        {"last_name": sha("null")}, {"last_name": sha("undefined")}, {"email": sha("blank")}, {"email": sha("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_nothing(user: dict[str, Any], people: People) -> None:
    assert sent(user).tier == "event"
    mine = "last_name" in user and user["last_name"] == sha("null")
    assert sent(user, people).tier == ("advanced_matching" if mine else "event")


@pytest.mark.parametrize(
    "user",
    [
        {"email": sha("nulls")}, {"email": sha("null@null.com")}, {"email": sha("undefined@example.com")},
        {"email": sha(JANE)[:-1] + "0"}, {"email": sha(sha("null"))}, {"phone_number": sha("+0")},
        {"email": "{{" + sha(JANE) + "}}"}, {"email": "%%" + sha(JANE) + "%%"}, {"email": "{{" + RAW + "}}"},
        {"email": "<%" + sha(JANE).upper() + "%>"}, {"email": "null," + sha(JANE)}, {"email": ["null", sha(JANE)]},
        {"first_name": "{{a}} Jane {{b}}"}, {"first_name": sha("nan")}, {"last_name": sha("Blank")},
        {"external_id": "00"}, {"external_id": "null1"}, {"first_name": "<%Jane%>"}, {"first_name": "{{Jane}}"},
        {"external_id": "${jane.doe}"}, {"last_name": "%%Doe%%"}, {"email": "{{guest}}"}, {"external_id": "{cust-4711}"},
        {"first_name": "{{user Jane}}"}, {"external_id": "{{id 4711123}}"}, {"last_name": "[[O'Neill]]"},
        {"first_name": "{{Felicity}}"}, {"external_id": "<%= 'Jane' %>"},
    ],
    ids=str,
)  # fmt: skip
def test_a_near_miss_is_identity(user: dict[str, Any], people: People) -> None:
    assert sent(user).tier == "advanced_matching"
    assert sent(user, people).tier == "advanced_matching"


@pytest.mark.parametrize("text", ["{{%s}}", "${%s}", "%%%%%s%%%%", "undefined %s", "<%%%s%%>"])
def test_clear_text_between_the_marks_of_a_template_is_clear_text(text: str) -> None:
    assert sent({"email": text % JANE}).tier == "plaintext"


def test_a_persona_may_be_called_like_a_placeholder(people: People) -> None:
    for value in (sha("null"), sha("Null")):
        (one,) = (i for i in sent({"last_name": value}, people).identifiers if i.name == "last_name")
        assert (one.persona, one.form) == ("Chris", "sha256_hex")
    assert sent({"last_name": "Null"}, people).tier == "plaintext"
    assert sent({"external_id": "unknown"}, people).tier == "advanced_matching"


def test_the_name_of_a_persona_is_no_persona_in_another_field(people: People) -> None:
    for user in ({"email": sha("null")}, {"email": "null"}, {"phone_number": sha("null")}, {"email": sha("unknown")}):
        made = sent(user, people)
        assert (made.tier, {i.persona for i in made.identifiers}) == ("event", {None})


def test_a_control_persona_called_like_a_placeholder_is_not_attributed(people: People) -> None:
    made = sent({"last_name": sha("undefined")}, people)
    assert (made.tier, {i.persona for i in made.identifiers}) == ("event", {None})
