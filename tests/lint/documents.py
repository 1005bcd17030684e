"""The documents say what the sources say: drop reasons row by row, and the rules that sources and tests name. Files that
they link to exist."""

import pathlib
import re
import sys

RULE = re.compile(r"\b(C?NP|FQ)[-_](\d\d)")  # NP-51; in names of tests NP_51
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def drop_reasons_of_header():
    text = pathlib.Path("include/sluice/drop_reason.h").read_text()
    lines = re.sub(r"\s*\\\n\s*", " ", text)  # the macro's continued lines
    return re.findall(r'X\(k\w+, "(\w+)", "([^"]*)"\)', lines)


def drop_reasons_of_document():
    text = pathlib.Path("docs/drop-reasons.md").read_text()
    return re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", text, re.MULTILINE)


def drop_reason_problems():
    header = drop_reasons_of_header()
    document = drop_reasons_of_document()
    if not header:
        yield "include/sluice/drop_reason.h: no drop reason found"
    for row in header:
        if row not in document:
            yield f"docs/drop-reasons.md: wants the row | `{row[0]}` | {row[1]} |"
    for row in document:
        if row not in header:
            yield f"docs/drop-reasons.md: `{row[0]}` is not so in include/sluice/drop_reason.h"
    if [name for name, _ in header] != [name for name, _ in document]:
        yield "docs/drop-reasons.md: rows are not in the header's order"


SOURCES = "base codec control dataplane docs examples include node programs proto reference".split()


def rules_in(*folders):
    """The rules that files in `folders` name, each with one of these files."""
    named = {}
    for folder in folders:
        for file in sorted(pathlib.Path(folder).rglob("*")):
            if file.suffix in (".cc", ".h", ".md", ".py", ".proto", ".txt", ".yaml") and file.name != "documents.py":
                for kind, number in RULE.findall(file.read_text()):
                    named.setdefault(f"{kind}-{number}", file)
    return named


def semantics_problems():
    rows = re.findall(r"^\| ((?:C?NP|FQ)-\d\d) \|", pathlib.Path("docs/semantics.md").read_text(), re.MULTILINE)
    if not rows:
        yield "docs/semantics.md: no rule found"
    if rows != list(dict.fromkeys(rows)):
        yield "docs/semantics.md: a rule has two rows"
    for rule, file in rules_in(*SOURCES, "tests", "bench").items():
        if rule not in rows:
            yield f"{file}: names {rule}, which docs/semantics.md does not have"
    tested = rules_in("tests")
    for rule in rows:
        if rule not in tested:
            yield f"docs/semantics.md: no test names {rule}"


def link_problems():
    for document in [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").rglob("*.md")]:
        for target in LINK.findall(document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                yield f"{document}: links to {target}, which is not there"


def main():
    problems = [*drop_reason_problems(), *semantics_problems(), *link_problems()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
