"""Options and profiles that every test shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Threads of OpenMP wait asleep: where tests share CPUs, threads that spin until the others are there take most of the
# time of boosted trees. As many threads work, and they compute the same. The library reads it when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(autouse=True, scope="session")
def no_records_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor a process that it starts, sees or writes what `bench --tune` recorded for the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_INFER_CONFIG", str(tmp_path_factory.mktemp("configuration")))
        patch.delenv("EDGE_INFER_TUNED", raising=False)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        default=False,
        help="write golden files anew instead of comparing with them",
    )


#: Begun first, the longest ahead: at the end each would leave all processes but its own without work.
_LONGEST = (
    "convert/test_matrix.py",
    "docs/test_benchmarks.py",
    "cli/test_bench.py",
    "convert/operators/test_text.py",
    "cli/test_booster_files.py",
    "cli/test_store.py",
    "batch/test_resume.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order that `make test` shares them out (--no-loadscope-reorder); within each as they stand."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """True when golden files are to be written anew (`make goldens`)."""
    return bool(request.config.getoption("--update-goldens"))
