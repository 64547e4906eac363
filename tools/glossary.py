"""Link each notebook to docs/glossary.md where it uses a term for the first time.

`make notebooks` does it; python tools/glossary.py does nothing else. Only Markdown is changed.
"""

import re

from project import DOCS, paths, read, tags, write

PAGE = DOCS / "glossary.md"
LINK = re.compile(r"\[([^\]]*)\]\(\.\./docs/glossary\.md#[^)]*\)")
# Where a term is not linked: code, headings, tables, links and their texts, tags, folds' titles.
SKIP = re.compile(
    r"^```.*?^```|^#.*?$|^\|.*?$|<summary>.*?</summary>|<[^>]*>|`[^`\n]*`|!?\[[^\]]*\]\([^)]*\)",
    re.MULTILINE | re.DOTALL,
)


def entries(text):
    """Return {term: body} of the glossary's text."""
    parts = re.findall(r"^## (.*)\n((?:(?!#).*\n?)*)", text, re.MULTILINE)
    return {term: body.strip() for term, body in parts}


def anchor(term):
    return term.replace(" ", "-")


def patterns(text):
    """Return [(pattern, anchor)] for the terms and their other forms, the longest first."""
    forms = {}
    for term, body in entries(text).items():
        also = re.search(r"\*Also\*: (.*?)\.", body)
        for form in [term, *(also[1].split(", ") if also else [])]:
            forms[form] = anchor(term)
    return [
        (re.compile(rf"(?<![\w-]){re.escape(form)}(?:s|es)?(?![\w-])", re.IGNORECASE), forms[form])
        for form in sorted(forms, key=len, reverse=True)
    ]


def link(source, terms, linked):
    """Return Markdown with a link at each first use of a term that is not in ``linked`` yet."""
    taken = [match.span() for match in SKIP.finditer(source)]
    found = {}
    for pattern, target in terms:
        for match in pattern.finditer(source):
            start, end = match.span()
            if all(end <= a or b <= start for a, b in taken):
                taken.append((start, end))  # also when linked already: 'batch' in 'batch norm'
                if target not in linked and (target not in found or start < found[target][0]):
                    found[target] = (start, end)
    for target, (start, end) in sorted(found.items(), key=lambda item: item[1], reverse=True):
        linked.add(target)
        source = (
            f"{source[:start]}[{source[start:end]}](../docs/glossary.md#{target}){source[end:]}"
        )
    return source


def link_terms(notebook, text):
    """Link the first use of each term after the title cell; whatever was linked before is undone.

    Solutions are left as they are.
    """
    linked, terms = set(), patterns(text)
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown" and "solution" not in tags(cell):
            cell.source = link(LINK.sub(r"\1", cell.source), terms, linked)
    return linked


def main():
    text = PAGE.read_text(encoding="utf-8")
    for path in paths():
        notebook = read(path)
        linked = link_terms(notebook, text)
        write(notebook, path)
        print(f"{path.name}: {len(linked)} terms")


if __name__ == "__main__":
    main()
