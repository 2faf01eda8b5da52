"""Ready-made rooms (container, VS Code, conda, Binder, CI): they parse, agree with pyproject.toml, call what exists."""

import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from rcnn_tutorial.cli import build_parser
from rcnn_tutorial.course import handout
from rcnn_tutorial.course.start import START

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TORCH = [need for need in PROJECT["dependencies"] if re.match(r"torch(vision)?>", need)]
CPU_BUILDS = "--torch-backend=cpu"  # uv knows where they are
ROOMS = (
    "Dockerfile",
    ".dockerignore",
    ".devcontainer/devcontainer.json",
    ".vscode/settings.json",
    "environment.yml",
    "binder/requirements.txt",
    "binder/runtime.txt",
    "binder/postBuild",
    ".github/workflows/test.yml",
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def parsed(name: str):
    return json.loads(text_of(name)) if name.endswith(".json") else yaml.safe_load(text_of(name))


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each instruction of the Dockerfile, its lines joined."""
    lines = [line for line in text_of("Dockerfile").replace("\\\n", " ").splitlines() if line and line[0] != "#"]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def ci_steps() -> list[dict]:
    return parsed(".github/workflows/test.yml")["jobs"]["test"]["steps"]


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_names_no_other_host(name):
    assert set(re.findall(r"https?://[^\s\"')]+", text_of(name))) <= {"http://127.0.0.1:8888/api"}


def test_the_rooms_ask_for_the_versions_and_the_extra_of_the_project():
    *conda, pip = parsed("environment.yml")["dependencies"]
    assert [need.replace("pytorch-cpu", "torch") for need in conda if "torch" in need] == TORCH
    (install,) = [rest for word, rest in instructions() if word == "RUN" and CPU_BUILDS in rest]
    assert shlex.split(install)[-2:] == TORCH and CPU_BUILDS in text_of("binder/postBuild")
    asked = "\n".join([*pip["pip"], text_of("binder/postBuild"), text_of("Dockerfile")])
    assert re.findall(r"(?:\.|project)\[(\w+)\]", asked) == ["lab"] * 3
    assert "lab" in PROJECT["optional-dependencies"]


def test_the_rooms_have_a_python_that_the_project_takes_and_the_same():
    (image,) = {rest.split()[0] for word, rest in instructions() if word == "FROM" and rest.startswith("python:")}
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", image)[1]
    assert tuple(map(int, version.split("."))) >= tuple(map(int, PROJECT["requires-python"].strip(">=").split(".")))
    assert f"python={version}" in parsed("environment.yml")["dependencies"]
    assert text_of("binder/runtime.txt").strip() == f"python-{version}"
    assert [step["with"]["python-version"] for step in ci_steps() if "with" in step] == [version]


def test_the_container_runs_without_root_and_copies_the_course():
    words = [word for word, _ in instructions()]
    users = [rest for word, rest in instructions() if word == "USER"]
    assert users[-1] == users[0] == "student" and words.index("USER") < words.index("WORKDIR")
    code = next(rest for word, rest in instructions() if word == "RUN" and "copy_course" in rest)
    assert callable(handout.copy_course)
    compile(shlex.split(code)[2], "Dockerfile", "exec")
    assert shlex.split(code)[:2] == ["python", "-c"]


def test_the_container_serves_and_is_asked_at_one_port():
    (start,) = [json.loads(rest) for word, rest in instructions() if word == "CMD"]
    (health,) = [rest.partition("CMD ")[2] for word, rest in instructions() if word == "HEALTHCHECK"]
    (port,) = [rest for word, rest in instructions() if word == "EXPOSE"]
    assert start[:2] == ["jupyter", "lab"] and f"--port={port}" in start
    assert f"--LabApp.default_url=/lab/tree/{START}" in start
    assert not any("token" in option or "password" in option for option in start)  # Jupyter's own stay on
    assert f"127.0.0.1:{port}/api" in json.loads(health)[2]
    assert f"-p 127.0.0.1:{port}:{port}" in text_of("Dockerfile")  # not on the whole network


def test_the_container_gets_what_the_wheel_is_made_of():
    wheel = tomllib.loads(text_of("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    kept = {line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")}
    assert kept == {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], *wheel["only-include"]}
    assert all((ROOT / name).exists() for name in kept)


def test_the_development_container_builds_a_stage_that_exists():
    room = parsed(".devcontainer/devcontainer.json")
    build, folder = room["build"], ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile" and (
        folder / build["context"]
    ).resolve() == ROOT
    assert any(rest.endswith(f" AS {build['target']}") for word, rest in instructions() if word == "FROM")
    assert room["forwardPorts"] == [int(port) for port in room["portsAttributes"]] == [8888]
    command = room["portsAttributes"]["8888"]["label"].split("rcnn-tutorial ")[1]
    assert build_parser().parse_args(command.split()).name == "lab"
    assert shlex.split(room["postCreateCommand"]) == ["pip", "install", "--editable", ".[dev]"]
    assert "dev" in PROJECT["optional-dependencies"]


def test_vs_code_takes_widgets_from_the_environment_alone():
    """Its Jupyter extension asks the networks that a machine's settings list, none at first, before this environment.
    A container's settings are a machine's; those of a folder may not say it."""
    folder = parsed(".vscode/settings.json")
    container = parsed(".devcontainer/devcontainer.json")["customizations"]["vscode"]["settings"]
    assert container["jupyter.widgetScriptSources"] == [] and "jupyter.widgetScriptSources" not in folder
    paths = re.findall(r"tests[/\w]*", " ".join(folder["python.testing.pytestArgs"]))
    assert paths and all((ROOT / path).exists() for path in paths)


def test_conda_and_binder_call_what_exists():
    comment = text_of("environment.yml").splitlines()[0]
    assert parsed("environment.yml")["name"] in comment
    assert build_parser().parse_args(comment.split("rcnn-tutorial ")[-1].split()).name == "lab"
    assert text_of("binder/postBuild").startswith("#!/bin/bash\n") and os.access(ROOT / "binder/postBuild", os.R_OK)


def test_ci_tries_three_systems_with_the_oldest_and_the_newest_torch():
    job = parsed(".github/workflows/test.yml")["jobs"]["test"]
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["torch"] == [" ".join(need.replace(">=", "==") + ".*" for need in TORCH), "torch torchvision"]
    assert text_of(".github/workflows/test.yml").count(CPU_BUILDS) == len(parsed(".github/workflows/test.yml")["jobs"])


def test_ci_tries_what_colab_has():
    """The oldest versions that the project takes are Colab's: a newer one would replace what its kernel is running."""
    job = parsed(".github/workflows/test.yml")["jobs"]["colab"]
    kept = dict(pin.split("==") for pin in job["env"]["COLAB"].split())
    needs = {
        need.name: need
        for need in map(Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["site"]])
    }
    assert set(kept) == {"ipywidgets", "ipython", "traitlets", "ipykernel"}
    assert all(needs[name].specifier.contains(version) for name, version in kept.items())
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    commands = "\n".join(step.get("run", "") for step in job["steps"])
    paths = re.findall(r"(?<![\w.\\/])(?:tests|notebooks)(?:/\w+)*", commands)
    assert len(paths) == 3 and all((ROOT / path).exists() for path in paths)


def test_ci_calls_what_exists():
    commands = "\n".join(step.get("run", "") for step in ci_steps())
    targets = re.findall(r"^([a-z-]+):", text_of("Makefile"), flags=re.MULTILINE)
    assert (called := re.findall(r"\bmake ([a-z-]+)", commands)) and set(called) <= set(targets)
    paths = re.findall(r"(?<![\w.\\/])tests(?:/[\w.]+)*", commands)
    assert len(paths) == 6 and all((ROOT / path).exists() for path in paths)
    made = " ".join(line for line in text_of("Makefile").splitlines() if "pytest -q -n" in line)
    assert "--dist loadfile" in made and "--dist loadfile" in commands
