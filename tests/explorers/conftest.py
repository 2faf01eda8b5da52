"""What the tests of the explorers share."""

import pytest
from comm.base_comm import BaseComm


@pytest.fixture
def messages(monkeypatch):
    """The state updates that would go to the browser: a list of (keys, buffers)."""
    sent = []

    class Recorder(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            if msg_type == "comm_msg" and (data or {}).get("method") == "update":
                keys = {*data["state"], *(path[0] for path in data["buffer_paths"])}  # a buffer stands beside the state
                sent.append((sorted(keys), buffers))

    monkeypatch.setattr("comm.create_comm", Recorder)
    return sent


@pytest.fixture
def press():
    """Clicks the button of this name of an explorer."""

    def click(explorer, name):
        row = explorer.children[0].children[0]
        next(child for child in row.children if child.description == name).click()

    return click
