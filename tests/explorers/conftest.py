"""What the tests of the explorers share."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from ipywidgets.widgets import widget

if hasattr(widget, "Comm"):  # ipywidgets 7
    MAKER, Comm = "ipywidgets.widgets.widget.Comm", widget.Comm
else:
    from comm.base_comm import BaseComm as Comm

    MAKER = "comm.create_comm"


@pytest.fixture
def listen(monkeypatch):
    """listen(hear): hear(data, buffers) gets what widgets would tell the browser once it knows them."""

    def start(hear):
        class Recorder(Comm):
            kernel = SimpleNamespace(comm_manager=Mock())  # ipywidgets 7 says nothing where there is none

            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                if msg_type == "comm_msg":
                    hear(data, buffers)

            _publish_msg = publish_msg  # its name in ipykernel 6.17

        monkeypatch.setattr(MAKER, Recorder)

    return start


@pytest.fixture
def messages(listen):
    """The state updates that would go to the browser: a list of (keys, buffers)."""
    sent = []

    def hear(data, buffers):
        if data.get("method") == "update":
            keys = {*data["state"], *(path[0] for path in data["buffer_paths"])}  # a buffer stands beside the state
            sent.append((sorted(keys), buffers))

    listen(hear)
    return sent


@pytest.fixture
def press():
    """Clicks the button of this name of an explorer."""

    def click(explorer, name):
        row = explorer.children[0].children[0]
        next(child for child in row.children if child.description == name).click()

    return click
