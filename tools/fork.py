"""Put the address of your fork everywhere: make fork URL=https://github.com/you/your-fork.

Badges, set-up cells, links, CITATION.cff and pyproject.toml name the repository. Each file is
changed as text, so that a notebook stays as it is in everything else.
"""

import argparse
import re
import subprocess

from project import ROOT, URL


def owner_and_name(url):
    """Return 'owner/name' of a GitHub address, or raise ``ValueError``."""
    # Colab opens notebooks from GitHub only.
    match = re.fullmatch(r"https://github\.com/([A-Za-z\d-]+/[\w.-]+?)(\.git)?/?", url, re.ASCII)
    if match is None:
        raise ValueError(url)
    return match[1]


def tracked_files(root):
    """Return the files of a repository: those that git knows, and those that it would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in listing.split("\0") if (root / name).is_file()]


def replace_in_files(root, old, new):
    """Replace the repository ``old`` by ``new``, both 'owner/name'; return the changed files."""
    pattern = re.compile(rb"(?<![\w.-])" + re.escape(old.encode()) + rb"(?![\w-])")
    changed = []
    for path in tracked_files(root):
        before = path.read_bytes()
        if path.suffix != ".gz" and pattern.search(before):
            path.write_bytes(pattern.sub(new.encode(), before))
            changed.append(path)
    return changed


def main():
    parser = argparse.ArgumentParser(
        prog="tools/fork.py", description="Put the address of your fork everywhere."
    )
    parser.add_argument("url", type=owner_and_name, help="such as https://github.com/you/your-fork")
    new = parser.parse_args().url
    for path in replace_in_files(ROOT, owner_and_name(URL), new):
        print(f"changed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
