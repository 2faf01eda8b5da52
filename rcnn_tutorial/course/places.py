"""Where Jupyter, IPython and matplotlib keep files of their own, on a machine whose home cannot be written to.

Each takes its folder from a variable, which kernels inherit, and looks at it once: `find_places` comes before them.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from rcnn_tutorial.errors import DataError


def find_places() -> str:
    """Have the folders that cannot be written to in a temporary one instead, removed when this process ends.

    Sets their variables, for this process and those that it starts. Returns in a line what was done and why; "" where
    every folder can be used. Raises DataError where there is no place for temporary files either.
    """
    reason = temporary = ""
    for variable, folder in _folders().items():
        if why := _why_not(folder):
            reason, temporary = reason or why, temporary or _temporary_folder(why)
            os.environ[variable] = os.path.join(temporary, variable.lower())
            os.makedirs(os.environ[variable], mode=0o700)
    if not temporary:
        return ""
    return (
        f"{reason}; until this command ends, {temporary} takes what Jupyter, IPython and matplotlib keep for "
        "themselves; to have it kept, set HOME to a folder of your own"
    )


def _folders() -> dict[str, Callable[[], str | Path]]:
    """{variable: what gives the folder that its program would use}; those that lie in another one come after it."""
    from jupyter_core import paths

    def named(variable: str, otherwise: Callable) -> Callable:
        return lambda: os.environ.get(variable) or otherwise()

    homes = {"HOME": Path.home} if os.path.expanduser("~") == "~" else {}  # of a user that the system does not know
    return homes | {
        "JUPYTER_CONFIG_DIR": paths.jupyter_config_dir,
        "JUPYTERLAB_SETTINGS_DIR": named("JUPYTERLAB_SETTINGS_DIR", paths.jupyter_config_dir),
        "JUPYTERLAB_WORKSPACES_DIR": named("JUPYTERLAB_WORKSPACES_DIR", paths.jupyter_config_dir),
        "JUPYTER_DATA_DIR": paths.jupyter_data_dir,
        "JUPYTER_RUNTIME_DIR": paths.jupyter_runtime_dir,
        "IPYTHONDIR": named("IPYTHONDIR", Path.home),
        "MPLCONFIGDIR": named("MPLCONFIGDIR", Path.home),
    }


def _why_not(folder: Callable[[], str | Path]) -> str:
    """Why no file can be written to the folder, which is made where it is missing; "" where one can."""
    try:
        path = folder()
    except RuntimeError:  # of Path.home
        return "this user has no home"
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        return f"{path}: cannot be written to ({error.strerror})"
    return ""


def _temporary_folder(reason: str) -> str:
    try:
        path = tempfile.mkdtemp(prefix="rcnn-tutorial-")
    except OSError as error:
        message = f"{reason}, nor is there another place ({error.strerror}); set TMPDIR to a folder of your own"
        raise DataError(message) from error
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
