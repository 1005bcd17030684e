"""The documents say what the sources say: drop reasons row by row, and every file that a document links to exists."""

import pathlib
import re
import sys

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


def link_problems():
    for document in [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").rglob("*.md")]:
        for target in LINK.findall(document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                yield f"{document}: links to {target}, which is not there"


def main():
    problems = [*drop_reason_problems(), *link_problems()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
