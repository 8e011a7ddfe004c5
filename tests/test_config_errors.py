"""Every wrong configuration is refused in one line: file, field, value, what is allowed."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load_settings
from tests.config_words import GOOD
from tests.config_wrong_rooms import WRONG_ROOMS
from tests.config_wrong_values import WRONG_VALUES
from tests.config_wrong_yaml import WRONG_YAML

WRONG = WRONG_VALUES | WRONG_ROOMS | WRONG_YAML


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_configuration_is_refused_in_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert str(caught.value) == f"{file}: {message}"
    assert len(str(caught.value).splitlines()) == 1


def test_the_table_is_large() -> None:
    assert len(WRONG) >= 40


def test_the_file_that_the_table_varies_is_good(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert load_settings(file).venue.account == "hedge-sub"
