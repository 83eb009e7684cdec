"""A plan as a page: one HTML file without scripts, for people who have to decide. Pure; written piece by piece.

What is shown of a large plan: of each kind of operation, of what is held, of problems and of rewritten values the first ones
in the order of writes (`SHOWN`). Numbers and causes are always of the whole plan, and a sentence says how much is left out.

Filters are radio buttons and `:has()`; a browser that does not know it shows everything. Every text is of others: it is made
visible (`foundation.visible_text`) and escaped, and stands in `bdi`, so that its direction stays its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from foundation.report_page import REPORT_END, report_start
from foundation.times import minute
from foundation.visible_text import visible
from sync.model import AccountOperation, OperationKind
from sync.plan.entries import AccountProblem, ChangeCause, PlanEntry, PlanLine
from sync.plan.guard import GuardStop, stop_text
from sync.plan.header import PlanHeader
from sync.plan.texts import OPERATION_WORDS, cause_text, change_text, evidence_text, value_texts

SHOWN: Final = 500
"""Objects of each kind."""
_CAUSES_SHOWN: Final = 100
_CAUSES_FILTERED: Final = 12
_PERSONS_SHOWN: Final = 50
_HELD: Final = "held"
_STATUS: Final = {
    OperationKind.DISABLE: "warn",
    OperationKind.SOFT_DELETE: "fail",
    OperationKind.DELETE: "fail",
}


def plan_page(
    header: PlanHeader,
    lines: Iterable[PlanLine],
    *,
    shown: int = SHOWN,
    name_of: Callable[[int], str] = "person {}".format,
) -> Iterator[str]:
    """The page, in pieces. lines: of the same plan. name_of: a name for a person that comes or goes as a link."""
    causes = _filtered_causes(header)
    filtered = {cause.key: at for at, (cause, _) in enumerate(causes)}
    style = files("sync.plan").joinpath("plan.css").read_text(encoding="utf-8") + _filter_rules(len(causes))
    yield report_start(f"Plan {visible(header.id)}", style, skip=("operations", "To the operations"))
    yield _head(header)
    yield _causes(header)
    yield f'<h2 id="operations">Operations, in the order of writes</h2>\n{_filters(header, causes)}'
    yield from _operations(header, lines, shown, filtered, name_of)
    yield REPORT_END


def _filtered_causes(header: PlanHeader) -> list[tuple[ChangeCause, int]]:
    """Those that can be chosen, with their number at all targets."""
    totals: Counter[ChangeCause] = Counter()
    for row in header.causes:
        totals[row.cause] += row.total
    return totals.most_common(_CAUSES_FILTERED)


def _filter_rules(causes: int) -> str:
    """A row of another kind or cause than the chosen one is not displayed."""
    kinds = [*(f"k-{kind}" for kind in OperationKind), f"k-{_HELD}"]
    names = [*kinds, *(f"c-{at}" for at in range(causes))]
    return "".join(f"main:has(#{name}:checked) .op:not(.{name}) {{ display: none; }}\n" for name in names)


def _head(header: PlanHeader) -> str:
    tiles = [(number, OPERATION_WORDS[kind]) for kind, number in _by_kind(header).items()]
    others = ((header.held, "held"), (header.problems, "problems"), (header.rewritten, "rewritten values"))
    tiles += [(number, word) for number, word in others if number]
    items = "".join(f"<li><b>{number:,}</b> {escape(word)}</li>" for number, word in tiles)
    targets = ", ".join(_text(target) for target in header.operations) or "no target"
    marks = "".join(f"<li>{_text(name)}: <code>{_text(mark)}</code></li>" for name, mark in sorted(header.marks.items()))
    made = f"Made {minute(header.made_at).removesuffix('Z')} UTC by {_text(header.made_by)}."
    sources = (
        f'<details><summary>What it was made from</summary><ul class="inner small">{marks}</ul></details>' if marks else ""
    )
    return (
        f"{_stops(header.stops)}<p>{header.total:,} operations for {targets}. {made}</p>\n"
        f'<ul class="tiles">{items}</ul>\n{sources}{_by_target(header)}'
    )


def _stops(stops: Sequence[GuardStop]) -> str:
    if not stops:
        return ""
    items = "".join(f"<li>{_text(stop_text(stop))}{_keys(stop)}</li>" for stop in stops)
    return (
        '<section class="stop"><h2>The guard has stopped this plan. Nothing of it is written to any target.</h2>'
        f"<ul>{items}</ul></section>\n"
    )


def _keys(stop: GuardStop) -> str:
    if stop.decide:
        return f"<br>Decided by <code>{_text(stop.decide)}</code>"
    causes = ", ".join(f"<code>{_text(key)}</code> ({number:,})" for key, number in stop.causes)
    return f"<br>Most of it by {causes}" if causes else ""


def _by_target(header: PlanHeader) -> str:
    if len(header.operations) < 2:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{_text(target)}</th>"
        f"<td>{', '.join(f'{OPERATION_WORDS[OperationKind(kind)]} {number:,}' for kind, number in kinds.items())}</td></tr>"
        for target, kinds in header.operations.items()
    )
    return f'<h2>By target</h2><div class="scroll"><table><tbody>{rows}</tbody></table></div>\n'


def _causes(header: PlanHeader) -> str:
    if not header.causes:
        return ""
    several = len(header.operations) > 1
    rows = "".join(
        f'<tr><td class="cause">{_text(cause_text(row.cause))}<br><code class="quiet">{_text(row.cause.key)}</code>'
        f"{_at(row.target) if several else ''}</td>"
        f'<td class="number">{row.total:,}</td><td class="kinds">{_kinds(row.operations)}</td></tr>\n'
        for row in header.causes[:_CAUSES_SHOWN]
    )
    cut = _cut(min(len(header.causes), _CAUSES_SHOWN), header.causes_count, "causes (those that made most)")
    return (
        f'<h2 id="causes">Causes</h2>\n{cut}<div class="scroll" role="region" aria-labelledby="causes" tabindex="0"><table>'
        '<thead><tr><th scope="col">Why</th><th scope="col" class="number">Operations</th>'
        f'<th scope="col">Of these</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'
    )


def _at(target: str) -> str:
    return f'<br><span class="quiet">at {_text(target)}</span>'


def _kinds(operations: Mapping[str, int]) -> str:
    return ", ".join(f"{OPERATION_WORDS[OperationKind(kind)]} {number:,}" for kind, number in operations.items())


def _filters(header: PlanHeader, causes: Sequence[tuple[ChangeCause, int]]) -> str:
    choices = [(f"k-{kind}", f"{OPERATION_WORDS[kind]} ({number:,})") for kind, number in _by_kind(header).items()]
    if header.held:
        choices.append((f"k-{_HELD}", f"held ({header.held:,})"))
    parts = [_choice("kind", "k-all", f"all ({header.total + header.held:,})", checked=True)]
    parts += [_choice("kind", name, words) for name, words in choices]
    listed = [_choice("cause", "c-all", "any", checked=True)]
    listed += [_choice("cause", f"c-{at}", f"{cause_text(cause)} ({number:,})") for at, (cause, number) in enumerate(causes)]
    by_cause = f"<fieldset><legend>Cause</legend>{''.join(listed)}</fieldset>" if len(causes) > 1 else ""
    return f"<fieldset><legend>Kind</legend>{''.join(parts)}</fieldset>{by_cause}\n"


def _choice(group: str, name: str, words: str, *, checked: bool = False) -> str:
    state = " checked" if checked else ""
    return (
        f'<label class="choice"><input type="radio" name="{group}" id="{name}"{state}><span>{escape(words)}</span></label>'
    )


def _operations(
    header: PlanHeader,
    lines: Iterable[PlanLine],
    shown: int,
    filtered: Mapping[str, int],
    name_of: Callable[[int], str],
) -> Iterator[str]:
    yield _cuts(header, shown)
    counts: Counter[str] = Counter()
    notes = []
    for line in lines:
        kind = _kind(line)
        counts[kind] += 1
        if counts[kind] > shown:
            continue
        if isinstance(line, PlanEntry):
            yield _operation(line, kind, filtered, name_of)
        else:
            notes.append(_note(line))
    if notes:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Who", "What"))
        yield '<h2 id="notes">Problems, and values that a target rewrites</h2>\n<div class="scroll"><table>'
        yield f"<thead><tr>{head}</tr></thead><tbody>{''.join(notes)}</tbody></table></div>\n"


def _cuts(header: PlanHeader, shown: int) -> str:
    """What is not shown, before what is."""
    if not header.total + header.held:
        return "<p>Nothing has to be done.</p>\n"
    numbers = [(f"operations of the kind {OPERATION_WORDS[kind]}", number) for kind, number in _by_kind(header).items()]
    numbers += [("held operations", header.held), ("problems", header.problems), ("rewritten values", header.rewritten)]
    return "".join(_cut(shown, number, what) for what, number in numbers)


def _by_kind(header: PlanHeader) -> dict[OperationKind, int]:
    """Of all targets."""
    counts: Counter[OperationKind] = Counter()
    for kinds in header.operations.values():
        counts.update({OperationKind(kind): number for kind, number in kinds.items()})
    return {kind: counts[kind] for kind in OperationKind if counts[kind]}


def _kind(line: PlanLine) -> str:
    if isinstance(line, PlanEntry):
        return _HELD if line.held else line.operation.kind.value
    return "problem" if isinstance(line, AccountProblem) else "rewritten"


def _operation(entry: PlanEntry, kind: str, filtered: Mapping[str, int], name_of: Callable[[int], str]) -> str:
    operation = entry.operation
    classes = ["op", f"k-{kind}", *(f"c-{filtered[cause.key]}" for cause in entry.causes if cause.key in filtered)]
    word = OPERATION_WORDS[operation.kind] + (" (held)" if entry.held else "")
    status = "role" if entry.held else _STATUS.get(operation.kind, "pass")
    return (
        f'<details class="{" ".join(classes)}"><summary><span class="number">{operation.id}</span>'
        f'<span class="status {status}">{word}</span> <span class="name">{_text(_name(entry))}</span>'
        f' <span class="what">{_text(change_text(operation))}</span>'
        f' <span class="where">{operation.object.value} at {_text(operation.target)}</span></summary>\n'
        f'<div class="inner">{_reasons(entry)}{_change(operation, name_of)}</div></details>\n'
    )


def _name(entry: PlanEntry) -> str:
    return entry.name or f"person {entry.operation.person}"


def _reasons(entry: PlanEntry) -> str:
    operation = entry.operation
    rows = [("Held", entry.held), ("Protected", entry.protected)]
    rows += [("Because", cause_text(cause)) for cause in entry.causes]
    rows += [("Evidence", evidence_text(evidence)) for evidence in entry.evidence]
    rows.append(("Links that go with it", f"{entry.links:,}" if entry.links else ""))
    rows.append(("Account", operation.remote or "not there yet"))
    rows.append(("Anchor", operation.anchor))
    return "".join(f'<p><span class="quiet">{label}:</span> {_text(text)}</p>' for label, text in rows if text)


def _change(operation: AccountOperation, name_of: Callable[[int], str]) -> str:
    if operation.kind is OperationKind.LINK:
        return "".join(
            f"<p>{_text(name)}, {word} ({len(persons):,}): {_persons(persons, name_of)}</p>"
            for word, links in (("come", operation.added), ("go", operation.removed))
            for name, persons in links.items()
        )
    names = dict.fromkeys([*operation.set, *sorted(operation.clear), *operation.before])
    if not names:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th>'
        f'<td class="value">{_values(operation, name, before=True)}</td>'
        f'<td class="value">{_values(operation, name, before=False)}</td></tr>'
        for name in names
    )
    head = '<tr><th scope="col">Attribute</th><th scope="col">Before</th><th scope="col">After</th></tr>'
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _values(operation: AccountOperation, name: str, *, before: bool) -> str:
    old, new = value_texts(operation.before.get(name)), value_texts(operation.set.get(name))
    texts, others, style = (old, new, "before") if before else (new, old, "after")
    if not texts:
        return '<span class="quiet">nothing</span>'
    return "".join(f"<div{_style(text, others, style)}><bdi>{escape(text)}</bdi></div>" for text in texts)


def _style(text: str, others: Sequence[str], style: str) -> str:
    """Only what is not on the other side, too."""
    return "" if text in others else f' class="{style}"'


def _persons(persons: Sequence[int], name_of: Callable[[int], str]) -> str:
    names = ", ".join(_text(name_of(person)) for person in persons[:_PERSONS_SHOWN])
    return names + (f" and {len(persons) - _PERSONS_SHOWN:,} more" if len(persons) > _PERSONS_SHOWN else "")


def _note(line: PlanLine) -> str:
    if isinstance(line, PlanEntry):
        return ""
    who = _text(line.name or f"person {line.person}")
    if isinstance(line, AccountProblem):
        what = f"{_text(line.cause)}: {_text(line.detail)}"
    else:
        sent, kept = "; ".join(value_texts(line.sent)), "; ".join(value_texts(line.kept)) or "nothing"
        what = f"{_text(line.attribute)}: sent {_text(sent)}, kept {_text(kept)}"
    return f'<tr><td class="cause">{who}{_at(line.target)}</td><td class="cause">{what}</td></tr>\n'


def _cut(shown: int, total: int, what: str) -> str:
    return f'<p class="cut">{shown:,} of {total:,} {what} are shown.</p>\n' if shown < total else ""


def _text(text: str) -> str:
    return f"<bdi>{escape(visible(text))}</bdi>"
