"""Whether a reader's query may run: the second fence, before the engine's own.

The first fence is the engine: no grants on sources (`infra.clickhouse_config`) and `readonly = 1`.
It leaves gaps, and this module closes them: INTO OUTFILE is written by the client part of the
engine, which asks nobody; the *function* file() reads any file in an embedded engine; python()
reads objects of this process; the AI functions call where they are told to; KILL QUERY reaches the
projections' inserts.

It looks at the text that the engine's own parser has normalised (`formatQuerySingleLine`: one
statement, no comments, one way to quote), and that normalised text is what runs. So nothing can be
hidden from it by spelling.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

READONLY = 164
# ClickHouse's error code of the same name; clients know it.

STATEMENTS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS"})

TABLE_FUNCTIONS = frozenset(
    {
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "generateseries", "generate_series"),
        *("values", "view", "viewifpermitted", "viewexplain", "merge", "null", "generaterandom"),
        *("format", "primes", "sqlstandardvalues"),
    }
)
# These stay within the query and the tables. Every other one the engine has is refused by name, so
# that a new version of the engine adds nothing unseen.

NEVER = frozenset(
    {
        *("file", "python", "eval", "executable", "arrowstream", "input", "outfile", "infile"),
        *("stack_trace", "addresstoline", "addresstolinewithinlines", "addresstosymbol"),
        *("catboostevaluate", "reversednsquery", "chdb", "getclienthttpheader"),
    }
)
# Not even their names, as APPLY(file) needs no parenthesis after it. `stack_trace` (a system table)
# sends signals to every thread of this process.

_AI = re.compile(r"(ai|llm)[a-z]+")

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*')
      | (?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class Denied(Exception):
    """A reader asked for more than to read tables; the message says what."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def require_harmless(normalised: str, engine_functions: frozenset[str]) -> str | None:
    """Return the format that the query names itself, if any.

    `engine_functions` are the engine's table functions and AI functions, in lower case.

    Raises:
        Denied: the query is not one for readers.
    """
    tokens = list(_tokens(normalised))
    words = (token.text.upper() for token in tokens if token.text != "(")
    first = next(words, "")
    if first not in STATEMENTS:
        raise Denied(f"{first[:40]}: readers may {', '.join(sorted(STATEMENTS))}")
    refused = engine_functions - TABLE_FUNCTIONS
    for token, following in zip(tokens, [*tokens[1:], _Token("end", "")], strict=True):
        for name in _names(token):
            called = following.text == "(" and name in refused
            if called or name in NEVER or (name in refused and _AI.fullmatch(name)):
                raise Denied(f"{name} is not for readers")
    return _format(tokens)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield _Token(kind, match.group())


def _names(token: _Token) -> Iterator[str]:
    if token.kind == "word":
        yield token.text.lower()
    elif token.kind == "quoted":
        # A quoted name may hold a path of names; each part counts.
        yield from re.findall(r"\w+", token.text.lower())


def _format(tokens: list[_Token]) -> str | None:
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token == _Token("word", "FORMAT") and index + 1 < len(tokens):
            after = tokens[index + 2].text if index + 2 < len(tokens) else "SETTINGS"
            if tokens[index + 1].kind == "word" and after == "SETTINGS":
                return tokens[index + 1].text
    return None
