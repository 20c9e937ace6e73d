"""Options and profiles that every test shares."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

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


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """True when golden files are to be written anew (`make goldens`)."""
    return bool(request.config.getoption("--update-goldens"))
