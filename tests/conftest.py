"""Fixtures of the tests that open notebooks in a real browser."""

import pytest
from browser import chromium, new_page


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    with new_page(browser) as page:
        yield page
