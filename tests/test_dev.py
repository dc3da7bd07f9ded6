"""Test the script `./dev` without its slow steps: what it skips, what it prints, and which program it runs last."""

import importlib.machinery
import importlib.util
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script `./dev`, imported as a module that writes its files to `tmp_path` and installs nothing."""
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev", loader)
    assert spec
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "STAMPS", tmp_path)
    monkeypatch.setattr(module, "set_up", lambda **_: None)
    return module


@pytest.fixture
def became(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Prevent `./dev` from replacing itself by another program; return a list that gets that program's arguments."""
    seen: list[str] = []
    monkeypatch.setattr(dev, "become", lambda *arguments: seen.extend(arguments))
    monkeypatch.setattr(dev, "find_programs", lambda: None)
    return seen


def counted(dev: ModuleType, lock: Path) -> tuple[Callable[[], None], list[int]]:
    done: list[int] = []
    return lambda: dev.step("packages", [lock], "Installing", lambda: done.append(1)), done


def test_a_step_is_done_again_only_when_its_inputs_change(dev: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1")
    step, done = counted(dev, lock)
    step()
    step()
    assert len(done) == 1
    lock.write_text("a==2")
    step()
    assert len(done) == 2


def test_a_step_that_failed_is_done_again(dev: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1")
    with pytest.raises(SystemExit, match="This command failed"):
        dev.step("packages", [lock], "Installing", lambda: dev.run("false"))
    step, done = counted(dev, lock)
    step()
    assert len(done) == 1


def test_what_was_made_and_is_gone_is_made_again(dev: ModuleType, tmp_path: Path) -> None:
    made = tmp_path / "made"
    for _ in range(2):
        dev.step("venv", [], "Making", made.mkdir, made=made)
        made.rmdir()
    assert not made.exists()


def test_a_lock_is_renewed_before_anything_is_built_from_it(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """`./dev lock` sets up only the tools and fetches no assets before it has renewed the lock files.

    The assets cannot be fetched while package.json has changes that package-lock.json lacks.
    """
    done: list[str] = []
    monkeypatch.setattr(dev, "set_up", lambda **given: done.append(str(given)))
    monkeypatch.setattr(dev, "run", lambda *command, **_: done.append(str(command[-1])))
    dev.lock([])
    assert done == ["{'tools_only': True}", "requirements.txt", "requirements-dev.txt", "--ignore-scripts"]


def test_without_venv_it_names_the_debian_package(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="install the Debian package python3-venv"):
        dev.make_venv()


@pytest.mark.parametrize(("user", "apt"), [(1000, "/usr/bin/apt-get"), (0, None)])
def test_without_a_browser_or_a_proxy_it_says_in_one_line_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, user: int, apt: str | None
) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda name, path=None: {"apt-get": apt}.get(name))
    monkeypatch.setattr(dev.os, "geteuid", lambda: user)
    with pytest.raises(
        SystemExit, match=r"^The tests need more programs: install chromium-headless-shell nginx-light [^\n]*$"
    ):
        dev.find_programs()


def test_as_root_on_debian_it_installs_what_is_missing(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        dev.shutil,
        "which",
        lambda name, path=None: {"apt-get": "/usr/bin/apt-get", "nginx": "/usr/sbin/nginx"}.get(name),
    )
    monkeypatch.setattr(dev.os, "geteuid", lambda: 0)
    monkeypatch.setattr(dev, "run", lambda *command, **_: ran.append(command))
    dev.find_programs()
    assert [command[1] for command in ran] == ["update", "install"]
    assert ran[1][-1] == "chromium-headless-shell"


def test_the_test_command_runs_all_but_the_long_versions(dev: ModuleType, became: list[str]) -> None:
    dev.test(["tests/test_money.py", "-x"])
    assert became[:6] == ["-m", "pytest", "-n", "2", "--dist", "worksteal"]
    assert became[6:] == ["-m", "not long", "tests/test_money.py", "-x"]


def test_browser_and_infrastructure_are_tested_in_ci_and_after_a_change_of_their_files(
    dev: ModuleType, became: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside CI, `./dev test` skips the browser tests and the infrastructure tests if their files are unchanged.

    Files are unchanged if they equal those with which the tests passed last. If the tests never passed in this clone,
    files are unchanged if they equal the remote's main branch, on which CI ran the tests. A change of the files of one
    kind runs the tests of that kind only. In CI, both kinds always run.
    """
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PORTAL_TEST_STAMPS", "")

    def chosen() -> str:
        became.clear()
        dev.test([])
        return became[-1]

    monkeypatch.setattr(dev, "is_as_cloned", lambda *_: True)
    assert chosen() == "not long and not (infra) and not (browser)"
    monkeypatch.setattr(dev, "is_as_cloned", lambda *_: False)
    assert chosen() == "not long"
    stamps = dict(stamp.rsplit("=", 1) for stamp in os.environ["PORTAL_TEST_STAMPS"].splitlines())
    assert list(stamps) == [str(tmp_path / mark) for mark in ("infra", "browser")]
    for path, digest in stamps.items():
        Path(path).write_text(digest)
    assert chosen() == "not long and not (infra) and not (browser)"
    assert os.environ["PORTAL_TEST_STAMPS"] == ""
    monkeypatch.setenv("CI", "true")
    assert chosen() == "not long"
    monkeypatch.delenv("CI")
    (tmp_path / "browser").write_text("another")
    assert chosen() == "not long and not (infra and not browser)"
    assert os.environ["PORTAL_TEST_STAMPS"].startswith(f"{tmp_path / 'browser'}=")
    (tmp_path / "infra").write_text("another")
    assert chosen() == "not long"
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k money")
    assert chosen() == "not long"
    assert os.environ["PORTAL_TEST_STAMPS"] == "", "a part of the tests proves nothing of the others"


def test_browser_tests_run_again_after_a_change_of_what_they_import_from_the_tests(dev: ModuleType) -> None:
    """`SPARED` names every module of the tests that the browser tests import."""
    named = {path for pattern in dev.SPARED["browser"] for path in dev.ROOT.glob(pattern)}
    imported = {
        name
        for folder in ("e2e", "look")
        for path in (dev.ROOT / "tests" / folder).glob("*.py")
        for name in re.findall(r"^ *from (tests[.\w]*) import", path.read_text(), re.MULTILINE)
    }
    files = [dev.ROOT / f"{name.replace('.', '/')}.py" for name in imported]
    assert len(files) > 20
    assert [str(file) for file in files if file.is_file() and file not in named] == []


def test_each_pattern_of_spared_tests_finds_files_and_git_understands_it_alike(dev: ModuleType) -> None:
    """Every pattern of `SPARED` matches files, and git finds no other files by it.

    Otherwise `./dev test` would overlook a changed file and skip tests that depend on it.
    """
    for pattern in {pattern for patterns in dev.SPARED.values() for pattern in patterns}:
        found = {str(path.relative_to(dev.ROOT)) for path in dev.ROOT.glob(pattern) if path.is_file()}
        listed = subprocess.run(
            ["git", "ls-files", "--", f":(glob){pattern}"], cwd=dev.ROOT, capture_output=True, text=True, check=True
        )
        assert found, pattern
        assert set(listed.stdout.split("\n")) - {""} <= found, pattern


def test_a_clone_has_the_files_of_its_remote_until_one_is_changed(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@acme.example", "-C"]
    remote.mkdir()
    (remote / "portal").mkdir()
    (remote / "portal" / "app.py").write_text("a")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run([*git, remote, *command], check=True)
    subprocess.run(["git", "clone", "-q", remote, clone], check=True)
    monkeypatch.setattr(dev, "ROOT", clone)
    assert dev.is_as_cloned("portal/*.py")
    (clone / "portal" / "app.py").write_text("b")
    assert dev.is_as_cloned("migrations/*.py")
    assert not dev.is_as_cloned("portal/*.py")
    monkeypatch.setattr(dev, "ROOT", remote)
    assert not dev.is_as_cloned("portal/*.py"), "without a remote, nothing is known to have passed"


def test_all_adds_the_long_versions_and_more_examples(
    dev: ModuleType, became: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_TEST_ALL", "")
    dev.test(["--all", "-x"])
    assert became[6:] == ["-x"]
    assert os.environ["PORTAL_TEST_ALL"] == "1"


@pytest.mark.parametrize("given", [["--data", "here"], ["--data=here"]])
def test_the_demos_folder_is_meant_from_where_the_command_was_given(
    dev: ModuleType, became: list[str], given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dev.demo(given)
    assert str(tmp_path / "here") in became[-1]


def test_the_suite_can_run_on_another_server(
    dev: ModuleType, became: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_TEST_DATABASE_URL", "")
    dev.test(["--database-url", "postgresql://postgres@/postgres?host=/run/postgresql", "-k", "sign"])
    assert os.environ["PORTAL_TEST_DATABASE_URL"] == "postgresql://postgres@/postgres?host=/run/postgresql"
    assert became == [*dev.PYTEST, "-m", "not long", "-k", "sign"]
