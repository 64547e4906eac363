"""Print the path, notebooks 00 to 06, into one PDF: make site ARGS=--pdf.

Chromium prints what Sphinx has made: the articles of the pages, one after the other on one page of
their own. It is the browser that the tests use, so nothing else needs to be installed.
"""

import re

from playwright.sync_api import sync_playwright
from project import URL, installed_chromium, paths

PATH = 7  # notebooks: 00 to 06
STYLE = """
.bd-main, .bd-content { display: block !important; }
article { break-before: page; }
article:first-of-type { break-before: auto; }
.headerlink, .copybtn, .prev-next-footer { display: none !important; }
h1, h2, h3 { break-after: avoid; break-inside: avoid; }
.cell_output img, table, details { break-inside: avoid; }
.cell { break-inside: auto; }
.cell pre { white-space: pre-wrap !important; font-size: 11px !important; }
body { font-size: 15px; }
"""
READY = """() => {
    const made = !window.MathJax || !MathJax.Hub || MathJax.Hub.queue.pending === 0;
    return made && [...document.images].every(picture => picture.complete);
}"""


def article_of(page):
    """Return the article of a page's HTML."""
    return re.search(r"<article.*?</article>", page, re.DOTALL)[0]


def with_own_names(article, name, names):
    """Return an article whose anchors carry its name, and whose links fit where it now stands.

    Args:
        names: of the notebooks that are printed. Links to other pages lead to the repository, since
            paper has no folder beside it.
    """

    def changed(match):
        target, _, anchor = match[1].partition("#")
        stem = target.removesuffix(".html") or name
        if re.match(r"[a-z]+:", match[1]):
            return match[0]
        if stem in names:
            return f'href="#{stem}.{anchor}"' if anchor else f'href="#{stem}"'
        return f'href="{URL}"'

    article = re.sub(r'\bid="([^"]*)"', rf'id="{name}.\1"', article)
    article = re.sub(r'\bhref="([^"]*)"', changed, article)
    # Paper cannot unfold an answer; cells that are hidden on the site stay so.
    article = re.sub(r"<details(?![^>]*\bhide\b)", "<details open", article)
    return article.replace("<article", f'<article id="{name}"', 1)


def one_page(site):
    """Return the path as one page, for the folder of the notebooks."""
    files = [(site / "notebooks" / path.name).with_suffix(".html") for path in paths()[:PATH]]
    names = [file.stem for file in files]
    pages = [file.read_text(encoding="utf-8") for file in files]
    articles = [
        with_own_names(article_of(page), name, names)
        for page, name in zip(pages, names, strict=True)
    ]
    # The head with formulas is the one of a page that has some: all have the same style.
    head = next(page for page in pages if "MathJax.js" in page).partition("</head>")[0]
    head = re.sub(r"<script(?![^>]*(?:MathJax|mathjax)).*?</script>", "", head, flags=re.DOTALL)
    head = re.sub(r'<link rel="(?:index|search|next|prev)"[^>]*>', "", head)
    title = "<title>The MNIST notebooks: the path</title>"
    head = re.sub(r"<title>.*?</title>", title, head, flags=re.DOTALL)
    return f"{head}<style>{STYLE}</style></head><body>{''.join(articles)}</body></html>"


def print_path(site, pdf):
    """Print the path, from a site that was built, into a PDF."""
    page_file = site / "notebooks" / "path.html"
    page_file.write_text(one_page(site), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed_chromium(), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(page_file.as_uri())
        page.wait_for_function(READY)
        margin = {"top": "15mm", "bottom": "15mm", "left": "14mm", "right": "14mm"}
        number = '<div style="font-size:8px;width:100%;text-align:center">'
        page.pdf(
            path=pdf,
            format="A4",
            margin=margin,
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=f'{number}<span class="pageNumber"></span></div>',
        )
        browser.close()
    page_file.unlink()
    print(f"The path is in {pdf}: {pdf.stat().st_size / 1e6:.1f} MB")
