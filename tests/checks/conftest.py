"""What the tests of all checks share."""

import pytest

from rcnn_tutorial import guarded


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine may run a right answer slowly: here only what never ends takes too long."""
    monkeypatch.setattr(guarded, "PATIENCE", 3600.0)
