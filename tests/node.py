"""What runs the pages' scripts outside a browser. The project itself needs no Node.js; .ci/run has it."""

import shutil

import pytest

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js runs the pages' scripts; none is here")
