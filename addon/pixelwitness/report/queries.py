"""Saved questions about a ledger, with their SQL: for Datasette and for `docs/queries.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixelwitness.ledger.views import VIEWS


@dataclass(frozen=True)
class Query:
    """A question, and the SQL that answers it."""

    title: str
    sql: str


QUERIES = {
    "worst": Query(
        "What is the worst that was found, and where?",
        """select property, rule, regime, worst, requests, first_at, remedy
  from violations_by_rule order by worst desc, requests desc""",
    ),
    "before_choice": Query(
        "What reached TikTok before the visitor had chosen anything?",
        """select property, client, occurred_at, event, tier, page_url
  from sends where consent_state = 'unanswered' order by occurred_at""",
    ),
    "after_refusal": Query(
        "What was sent after a refusal, and how long after it?",
        """select s.property, s.occurred_at, s.event, s.tier,
       max(coalesce(g.effective_at, g.observed_at)) as refused_at,
       round((julianday(s.occurred_at) - julianday(max(coalesce(g.effective_at, g.observed_at)))) * 86400, 1) as seconds
  from sends s
  join hits h on h.id = s.hit_id
  join json_each(h.signals) j
  join signals g on g.id = j.value and g.state = 'denied'
 where s.consent_state = 'denied'
 group by s.hit_id order by s.occurred_at""",
    ),
    "identity": Query(
        "Which identity data left, in which form, and what had the visitor chosen?",
        """select property, name, form, collected, consent_state, count(*) as times
  from identity_sent
 where collected in ('manual', 'automatic', 'event_builder', 'suggested', 'elsewhere')
 group by 1, 2, 3, 4, 5 order by times desc""",
    ),
    "personas": Query(
        "Whose values were they? (needs --identity)",
        """select persona, attribute, variant, property, min(occurred_at) as first_at, count(*) as times
  from identity_sent where persona is not null group by 1, 2, 3, 4 order by persona, first_at""",
    ),
    "page_content": Query(
        "What was read off the page without the site asking?",
        """select h.property, c.what, count(*) as times, max(c.size) as longest, min(c.sample) as sample
  from collected c join hits h on h.id = c.hit_id
 group by h.property, c.what order by times desc""",
    ),
    "gpc": Query(
        "What was sent although the browser sent Global Privacy Control?",
        """select property, occurred_at, event, tier, verdicts
  from sends where exists (select 1 from json_each(opt_outs) where value = 'gpc') order by occurred_at""",
    ),
    "untested": Query(
        "What was not tested, or stayed open?",
        """select property, regime, state, result, page_views, note from gaps order by property, regime, state""",
    ),
    "blind": Query(
        "Why could part of the traffic not be judged?",
        """select kind, property, sum(count) as times, min(remedy) as remedy
  from blind_spots group by kind, property order by times desc""",
    ),
    "proof": Query(
        "Which record proves each violation?",
        """select violation_id, rule, regime, occurred_at, recorded_in, seq, observation_hash, body_sha256
  from evidence order by occurred_at, rule, regime""",
    ),
}
"""Ten questions, by the name under which Datasette saves them."""


def datasette_metadata(database: str) -> dict[str, Any]:
    """Datasette's metadata for a ledger: our queries and views, readable by whoever started it and by nobody else."""
    queries = {name: {"title": q.title, "sql": q.sql} for name, q in QUERIES.items()}
    tables = {name: {"description": view.about} for name, view in VIEWS.items()}
    return {
        "title": "pixelwitness",
        "description": "A ledger of an audit of the TikTok Pixel. Saved queries answer the usual questions.",
        "allow": {"id": "root"},
        "databases": {database: {"queries": queries, "tables": tables}},
    }
