"""Every data set that a recipe names can be opened, and the page of data sets says how."""

import re
from pathlib import Path

import pytest

from training.data.errors import DataError
from training.recipes import RECIPES
from training.sources import BY_CARD, open_source

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text()
FOLDERS = sorted(({make().data for make in RECIPES.values()} | set(BY_CARD.values())) - {"faces"})


@pytest.mark.parametrize("data", FOLDERS)
def test_a_data_set_of_files_asks_for_its_folder_and_names_what_is_missing_there(data, tmp_path):
    with pytest.raises(DataError, match="give it with --data"):
        open_source(data, None, 4)
    with pytest.raises(DataError, match=r"idx3-ubyte|has neither body/male|-dat\.mat|no files like person01"):
        open_source(data, tmp_path, 4)


def test_the_page_of_data_sets_shows_recipes_that_exist_and_every_data_set():
    shown = set(re.findall(r"twofold train (\w+)", PAGE))
    assert shown <= set(RECIPES)
    assert {RECIPES[name]().data for name in shown} == {make().data for make in RECIPES.values()}
    assert all(f"`{data}`" in PAGE or any(RECIPES[name]().data == data for name in shown) for data in FOLDERS)
