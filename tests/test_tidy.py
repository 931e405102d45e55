"""The shape of the code and of its documents: what neither ruff nor mypy looks at."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("api", "benchmarks", "domain", "infra", "ingress", "projections", "schemas", "tests")
MODULES = sorted(
    path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
)
PAGES = sorted(
    path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
)

MODULE_LINES_MAX = 400
TEST_MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

BANNED = (
    "abstract|base|common|helper|impl|manager|misc|processor|service|util|wrapper"  # Say nothing.
)
_BANNED_WORD = re.compile(rf"(?:{BANNED})(?:s|es)?", re.IGNORECASE)
_WORDS_OF_A_CLASS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")

_ISSUE = re.compile(r"\bissues? #?\d|(?<![\w&/])#\d+\b|\bGH-\d", re.IGNORECASE)
_MACHINE = re.compile(r"(?<![\w.:/])/(?:work|root|home)/|\.\./shared\b")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def tree_of(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text("utf-8"), str(module))


def lines_of(module: Path) -> int:
    return len((ROOT / module).read_text("utf-8").splitlines())


def functions_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def banned_in(words: list[str]) -> list[str]:
    return [word for word in words if _BANNED_WORD.fullmatch(word)]


def anchors_of(page: Path) -> set[str]:
    headings = _HEADING.findall(_CODE.sub("", page.read_text("utf-8")))
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
        for heading in headings
    }


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 100
    assert Path("docs/architecture.md") in PAGES


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(module)
        for module in MODULES
        if (tree := tree_of(module)).body and not ast.get_docstring(tree)
    ]

    assert silent == []


def test_modules_are_short_enough_to_be_read_at_once() -> None:
    long = {
        str(module): lines
        for module in MODULES
        if (lines := lines_of(module))
        > (TEST_MODULE_LINES_MAX if module.parts[0] == "tests" else MODULE_LINES_MAX)
    }

    assert long == {}


def test_functions_are_short_enough_to_be_read_at_once() -> None:
    long = {
        f"{module}:{function.name}": lines
        for module in MODULES
        for function in functions_in(tree_of(module))
        if function.end_lineno
        and (lines := function.end_lineno - function.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert long == {}


def test_nothing_is_raised_or_waited_for_in_a_clause_of_a_group() -> None:
    """Before Python 3.11.4 what comes out of `except*` is in a group, a cancellation as well."""
    found = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for clauses in ast.walk(tree_of(module))
        if isinstance(clauses, ast.TryStar)
        for clause in clauses.handlers
        for node in ast.walk(clause)
        if isinstance(node, ast.Raise | ast.Await)
    ]

    assert found == []


def test_names_of_modules_and_classes_say_what_is_inside() -> None:
    modules = [
        str(module)
        for module in MODULES
        if banned_in([word for part in module.with_suffix("").parts for word in part.split("_")])
    ]
    classes = [
        f"{module}:{node.name}"
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ClassDef) and banned_in(_WORDS_OF_A_CLASS.findall(node.name))
    ]

    assert modules + classes == []


def test_packages_hold_nothing_of_their_own() -> None:
    full = [
        str(module)
        for module in MODULES
        if module.name == "__init__.py"
        and module != Path("infra/cli/__init__.py")
        and (ROOT / module).read_text("utf-8").strip()
    ]

    assert full == []


RUN_BY_MAKE = (Path("benchmarks"), Path("tests/chaos"), Path("tests/simulation"))


def test_one_program_and_no_other_main() -> None:
    mains = [
        str(module)
        for module in MODULES
        if module.name == "__main__.py" and module.parent not in RUN_BY_MAKE
    ]

    assert mains == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", (ROOT / page).read_text("utf-8"))
    broken = []
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors_of(target)
        ):
            broken.append(link)

    assert broken == []


def test_nothing_speaks_of_issues_or_of_somebodys_machine() -> None:
    others = [Path("Makefile"), Path("pyproject.toml"), Path("NOTICE")]
    files = [ROOT / name for name in [*MODULES, *PAGES, *others] if ROOT / name != Path(__file__)]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sql")]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if _MACHINE.search(line) or _ISSUE.search(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    "text", ["see issue 3", "as of #12", "fixes GH-4", "in /work/main/x", "../shared/DESIGN.md"]
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert _ISSUE.search(text) or _MACHINE.search(text)
