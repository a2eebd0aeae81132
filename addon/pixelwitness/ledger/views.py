"""Views over the public tables, for whoever explores a ledger in SQL. `docs/queries.md` documents them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """What a view shows, in a sentence, and its SQL."""

    about: str
    sql: str


VIEWS = {
    "sends": View(
        "One row per request to TikTok that was judged, and the number of rules it broke; first-party copies left out.",
        """
        select h.run_id, h.property, h.client, h.occurred_at, coalesce(h.event, h.action, h.kind) as event, h.tier,
               h.consent_state, h.opt_outs, h.verdicts, h.confidence,
               (select count(distinct v.rule) from violations v where v.hit_id = h.id) as rules_broken,
               h.page_url, h.request_url, h.id as hit_id
          from hits h where h.copy_of is null
        """,
    ),
    "violations_by_rule": View(
        "Per property, rule and regime: how many requests, the worst severity, first and last time.",
        """
        select run_id, property, rule, regime, count(*) as requests,
               max(case severity when 'critical' then '5 critical' when 'high' then '4 high'
                                 when 'medium' then '3 medium' when 'low' then '2 low' else '1 info' end) as worst,
               sum(applicability = 'contradicted') as law_seems_not_to_apply,
               min(occurred_at) as first_at, max(occurred_at) as last_at, min(remedy) as remedy
          from violations group by run_id, property, rule, regime
        """,
    ),
    "identity_sent": View(
        "One row per identifier that was sent: what, in which form, how it was obtained, what had been chosen then.",
        """
        select h.run_id, h.property, h.occurred_at, coalesce(h.event, h.action, h.kind) as event, i.name, i.form,
               i.collected, i.persona, i.attribute, i.variant, h.consent_state, i.value, i.field, h.id as hit_id
          from identifiers i join hits h on h.id = i.hit_id
        """,
    ),
    "story": View(
        "Page views, consent signals and requests to TikTok in one table along time.",
        """
        select run_id, property, client, viewed_at as at, 'page view' as what, url as detail, consent_state as state,
               id from page_views
        union all
        select run_id, property, client, coalesce(effective_at, observed_at), 'consent signal',
               coalesce(cmp || ', ', '') || source || ': ' || name, coalesce(state, opt_out_kind, reason), id
          from signals
        union all
        select run_id, property, client, occurred_at, 'to TikTok, ' || tier, coalesce(event, action, kind),
               consent_state, id from hits
        """,
    ),
    "gaps": View(
        "What was not tested, or stayed open, per property, regime and state.",
        """
        select recording, property, regime, state, result, page_views, control_hits, note
          from coverage where result in ('not_tested', 'unverified')
        """,
    ),
    "evidence": View(
        "Each violation with the record that proves it: the observation in the chain, and the digest of the body.",
        """
        select v.id as violation_id, v.run_id, v.property, v.rule, v.regime, v.severity, v.occurred_at, v.explanation,
               h.body_sha256, o.run_id as recorded_in, o.seq, o.hash as observation_hash, v.hit_id
          from violations v join hits h on h.id = v.hit_id
          left join observations o on o.kind = 'request' and o.id = h.exchange_id
        """,
    ),
}
