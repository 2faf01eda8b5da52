"""Tiny wheels, for tests that install."""

import zipfile
from pathlib import Path


def write_wheel(folder: Path, name: str, version: str, requires=(), files=None, tag: str = "py3-none-any") -> Path:
    """A wheel that pip and uv install. requires: as in its metadata. files: text by path inside the wheel."""
    info = f"{name}-{version}.dist-info"
    extras = sorted({need.split('"')[1] for need in requires if "extra ==" in need})
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {need}" for need in requires]
    files = dict(files or {f"{name}/__init__.py": f'__version__ = "{version}"\n'})
    files[f"{info}/METADATA"] = "\n".join(metadata) + "\n"
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16  # a file that can be run
            archive.writestr(entry, text)
    return wheel
