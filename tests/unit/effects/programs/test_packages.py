"""What package managers add, refresh and run."""

from __future__ import annotations

import json

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Verb


@pytest.fixture
def workspace(tmp_path):
    root = tmp_path / "w"
    root.mkdir()
    return root


@pytest.fixture
def effects(workspace, tmp_path):
    def found(command: str):
        return shell_effects(command, str(workspace), Place.of(str(workspace), str(tmp_path)))

    return found


def runs(effects):
    return [effect.attributes for effect in effects if effect.verb is Verb.RUN]


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("npm install left-pad", "left-pad"),
        ("pnpm add -D a@1", "a@1"),
        ("yarn add a", "a"),
        ("bun add a", "a"),
        ("pip install requests", "requests"),
        ("python3 -m pip install requests", "requests"),
        ("pip install git+https://example.com/x", "git+https://example.com/x"),
        ("uv add httpx", "httpx"),
        ("uv run --with rich cat a", "rich"),
        ("uvx ruff", "ruff"),
        ("pipx run black", "black"),
        ("poetry add a", "a"),
        ("cargo add serde", "serde"),
        ("cargo install ripgrep", "ripgrep"),
        ("go get example.com/x", "example.com/x"),
        ("go install example.com/x@latest", "example.com/x@latest"),
        ("go run example.com/x@latest", "example.com/x@latest"),
        ("gem install rake", "rake"),
        ("npx -y cowsay", "cowsay"),
        ("npx cowsay@1", "cowsay@1"),
        ("npx -p cowsay moo", "cowsay"),
        ("npx @someone/tool", "@someone/tool"),
        ("npm exec --yes -- cowsay", "cowsay"),
        ("pnpm dlx cowsay", "cowsay"),
        ("npm init vite@latest", "create-vite@latest"),
        ("npm create @scope/x", "@scope/create-x"),
    ],
)
def test_software_that_is_added_is_named(effects, command, package):
    found = effects(command)
    assert runs(found)[0]["act"] == "install" or "-m pip" in command
    assert [e.attributes["package"] for e in found if e.verb is Verb.INSTALL] == [package]


@pytest.mark.parametrize(
    "command",
    [
        "npm ci",
        "npm install",
        "pnpm install --frozen-lockfile",
        "yarn",
        "yarn install --immutable",
        "pip install -r requirements.txt",
        "uv sync --frozen",
        "poetry install",
        "bundle install",
        "cargo fetch",
        "go mod download",
    ],
)
def test_what_the_workspace_lists_already_is_an_update(effects, command):
    found = effects(command)
    assert runs(found)[0]["act"] == "update"
    assert all(effect.verb is not Verb.INSTALL for effect in found)


def test_a_directory_of_the_workspace_is_its_own_code(effects):
    for command in (
        "pip install -e .",
        "pip install --no-index --find-links wheels a",
        "npm i ./x",
    ):
        found = effects(command)
        assert runs(found)[0]["act"] == "project"
        assert all(effect.verb is not Verb.INSTALL for effect in found)


def test_a_directory_elsewhere_is_not(effects):
    for command in ("pip install /opt/x", "npm i ../x", "uv add /opt/x.whl"):
        assert runs(effects(command))[0]["uninspectable"], command


def test_everywhere_is_told_apart(effects):
    for command in ("npm install -g a", "uv tool install a", "cargo install a", "pipx install a"):
        (added,) = [effect for effect in effects(command) if effect.verb is Verb.INSTALL]
        assert added.attributes["everywhere"]
    (added,) = [effect for effect in effects("npm install a") if effect.verb is Verb.INSTALL]
    assert not added.attributes["everywhere"]


def test_a_package_that_is_only_known_later_does_not_pass_as_ordinary(effects):
    *_, run = runs(effects("npm install $(cat x)"))
    assert run["act"] == "install"
    assert run["uninspectable"] or not run["known"]


def test_a_script_is_judged_by_its_text(effects, workspace):
    scripts = {"clean": "rm -rf ../other", "pretest": "cat .env", "test": "own-runner --all"}
    (workspace / "package.json").write_text(json.dumps({"scripts": scripts}))
    deleted = [e.resource for e in effects("npm run clean") if e.verb is Verb.DELETE]
    assert deleted == [str(workspace.parent / "other")]
    found = effects("npm test")
    assert str(workspace / ".env") in [e.resource for e in found if e.verb is Verb.READ]
    assert all(run["known"] and not run["uninspectable"] for run in runs(found))
    assert runs(effects("yarn clean"))[-1]["program"] == "rm"


def test_broken_package_files_leave_the_project_act(effects, workspace):
    for text in ("{", "[]", '{"scripts": 3}', '{"scripts": {"x": 3}}'):
        (workspace / "package.json").write_text(text)
        (run,) = runs(effects("npm run x"))
        assert run["act"] == "project"


def test_a_program_of_the_environment_is_the_projects_and_a_path_is_not(effects):
    assert runs(effects("uv run own-thing"))[1]["known"]
    assert not runs(effects("own-thing"))[0]["known"]
    assert any(run["uninspectable"] or not run["known"] for run in runs(effects("uv run /tmp/x/y")))


def test_code_from_an_address_is_not_inspectable(effects):
    for command in ("deno run https://example.com/x.ts", "npx github:o/r", "tsx /tmp/x/a.ts"):
        assert any(run["uninspectable"] for run in runs(effects(command))), command


@pytest.mark.parametrize(
    "command",
    [
        "npm publish",
        "pnpm -r publish",
        "cargo publish",
        "uv publish",
        "twine upload dist/x",
        "gem push a.gem",
        "mvn deploy",
        "gradle publish",
        "dotnet nuget push a.nupkg",
        "poetry publish --build",
    ],
)
def test_publishing_is_told(effects, command):
    (operation,) = [effect for effect in effects(command) if effect.verb is Verb.OPERATE]
    assert operation.attributes["degree"] == "publish"


def test_settings_of_package_managers_are_told(effects):
    for command in (
        "npm pkg set scripts.test=x",
        "npm config set registry x",
        "pip config set a b",
    ):
        assert runs(effects(command))[0]["act"] == "settings"
