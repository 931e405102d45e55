"""The local authorization list of a station (1.6, 3.5; 2.0.1, D): its version and its size."""

from collections.abc import Iterator

from domain.holdings import FACETS, Change, Telling, emptied, gone, put
from domain.members import integer_of, iso, object_of, objects_of, text_of

FACET = "local-list"
_TOKENS = "local-list-tokens"


def sent(telling: Telling) -> Iterator[Change]:
    """SendLocalList, of every version: its words differ, its shape does not."""
    request = telling.request
    name = "listVersion" if "listVersion" in request else "versionNumber"
    version = integer_of(request, name)
    if not telling.is_accepted:
        return
    is_full = request.get("updateType") == "Full"
    given, taken = _entries(telling)
    known = telling.held.kept(FACET, "list")
    before = (known or {}).get("tokens", 0 if known is None else None)
    if is_full:
        count: int | None = len(given)
        yield emptied(_TOKENS)
    else:
        new = sum(not telling.held.has(_TOKENS, token) for token in given)
        lost = sum(telling.held.has(_TOKENS, token) for token in taken)
        count = None if before is None else before + new - lost
    if count is not None and count > FACETS[_TOKENS].items_max:
        count = len(given) if is_full else None
    for token in taken if not is_full else ():
        yield gone(_TOKENS, token)
    for token in given:
        yield put(_TOKENS, token, {})
    yield _list(telling, version, count, "Full" if is_full else "Differential")


def _entries(telling: Telling) -> tuple[dict[str, None], dict[str, None]]:
    """Return the tokens that are given and those that are taken back: these have no status."""
    given: dict[str, None] = {}
    taken: dict[str, None] = {}
    for entry in objects_of(telling.request, "localAuthorizationList"):
        token = text_of(entry, "idTag") or text_of(object_of(entry, "idToken"), "idToken")
        has_status = entry.get("idTagInfo") or entry.get("idTokenInfo")
        (given if has_status else taken)[token.casefold()] = None
    return given, taken


def version_got(telling: Telling) -> Iterator[Change]:
    """GetLocalListVersion. Of another version than we know of nobody knows how many are in it."""
    name = "listVersion" if "listVersion" in telling.result else "versionNumber"
    version = integer_of(telling.result, name)
    if version is None:
        return
    known = telling.held.kept(FACET, "list") or {}
    if version == known.get("version"):
        return
    yield emptied(_TOKENS)
    yield _list(telling, version, 0 if version <= 0 else None, "")


def _list(telling: Telling, version: int | None, tokens: int | None, update: str) -> Change:
    value = {"version": version, "tokens": tokens, "last_update": update}
    return put(FACET, "list", {**value, "told_at": iso(telling.recorded_at)})
