"""Write docs/claims.md and the README's lines on it from the committed results: make claims.

A claim is a function of a notebook whose name starts with claim_: its docstring is what people say,
and it makes a verdict of the results.
"""

from collections import Counter

from project import DOCS, ROOT, claims_of, number_of, paths, read, replaced

from mnist_helpers.claims import load_results

PAGE = DOCS / "claims.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- claims: make claims writes this -->\n", "<!-- end of claims -->\n"
WORDS = ["true", "partly", "not here", "undecided"]
HEAD = """# What people say, and what we measured

`make claims` writes this page from the results in `mnist_helpers/results`, which
`make experiments` measured. How a claim is judged is written out in
[08](../notebooks/08_best_practices.ipynb): *true* and *not here* need an interval over the seeds
that says so; else it is *undecided*. *Partly*: true under some conditions and not under others.
The intervals cover other seeds, not other data. If thirty claims were false, on average less
than one would look true by chance. Everything here holds for a small network on MNIST.
"""


def judged():
    """Return [(path of the notebook, sentence, verdict)] of all claims, in order."""
    return [
        (path, claim.__doc__, claim(load_results(number_of(path))))
        for path in paths()
        for claim in claims_of(path)
    ]


def page(rows):
    """Return the text of docs/claims.md."""
    text = HEAD
    for path in dict.fromkeys(path for path, _, _ in rows):
        title = read(path).cells[0].source.splitlines()[0].removeprefix("# ")
        text += f"\n## {number_of(path)}: [{title}](../notebooks/{path.name})\n\n"
        text += "| People say | Verdict | Measured |\n|---|---|---|\n"
        for other, sentence, verdict in rows:
            if other == path:
                measured = verdict.measured.replace("; ", "<br>")
                text += f"| {sentence} | **{verdict.word}** | {measured} |\n"
    return text


def summary(rows):
    """Return the README's line on the claims."""
    counts = Counter(verdict.word for _, _, verdict in rows)
    said = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    return f"{len(rows)} things that people say, measured: {said}. [All of them](docs/claims.md).\n"


def with_summary(text, line):
    """Return the README's text with its line on the claims replaced."""
    return replaced(text, BEGIN, line, END)


def main():
    rows = judged()
    PAGE.write_text(page(rows), encoding="utf-8", newline="\n")
    text = with_summary(README.read_text(encoding="utf-8"), summary(rows))
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
