"""What only some commands need comes with an extra of the package; where it is missing, a line says which."""

from importlib.util import find_spec

from rcnn_tutorial.errors import ConfigError


def require(extra: str, command: str, *modules: str) -> None:
    """Raise ConfigError, with the line to type, where one of the modules that `command` imports cannot be found.

    extra: which of the extras in pyproject.toml brings them. Nothing is imported.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'{command} needs {" and ".join(missing)}, not installed here; run: pip install "rcnn-tutorial[{extra}]"'
        )
