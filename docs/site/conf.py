"""How Sphinx makes the site out of what tools/website.py has put together."""

from project import PROJECT, URL

project = "The MNIST notebooks"
author = "the MNIST notebooks' authors"
version = release = PROJECT["version"]
language = "en"

extensions = ["myst_nb", "sphinx.ext.mathjax"]

nb_execution_mode = "off"  # the committed outputs are the ones to show
nb_render_markdown_format = "myst"  # of outputs, too: "commonmark" has no tables
nb_ipywidgets_js = {}  # would come from the web; each widget has left a picture
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3

# From the package jupyter_server_mathjax, which has MathJax 2; newer ones come from the web.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
mathjax2_config = {"messageStyle": "none", "showMathMenu": False}
myst_update_mathjax = False  # it would write settings for MathJax 3

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]  # the explorer, as one page
html_theme_options = {
    "repository_url": URL,
    "repository_branch": "main",
    "path_to_docs": "",
    "use_repository_button": True,
    "use_issues_button": True,
    "launch_buttons": {
        "colab_url": "https://colab.research.google.com",
        "binderhub_url": "https://mybinder.org",
        "notebook_interface": "jupyterlab",
    },
    "navbar_persistent": [],  # the search stands in the sidebar
    "show_navbar_depth": 1,
    "show_toc_level": 2,
}
