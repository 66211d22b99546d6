from __future__ import annotations

from pathlib import Path

import pytest

from veille.domain.errors import ConfigError
from veille.training.recipe import Distil, needs, read_recipe

SHIPPED = Path(__file__).parents[2] / "training" / "recipe.toml"
HEAD = 'version = "1"\nlicence = "MIT"\n'
RUN = '[[step]]\nkind = "run"\nname = "a"\nlr = 1e-4\nseed = 1\nrepeats = {ours = 1}\n'


def test_the_shipped_recipe_is_whole_and_ends_with_an_average() -> None:
    recipe = read_recipe(SHIPPED)
    assert recipe.steps("default")[-1].name == "shipped"
    assert isinstance(recipe.steps("fast")[-1], Distil)
    assert needs(recipe.steps("fast")[-1]) == ("shipped",)


SOUP = '[[step]]\nkind = "soup"\nname = "b"\nof = ["a"]\nshares = [1.0]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "step"),
        (HEAD + RUN + RUN, "two steps are named 'a'"),
        (HEAD + RUN.replace("seed = 1", 'seed = 1\nstart = "b"'), "needs 'b'"),
        (HEAD + RUN.replace("seed = 1", 'seed = 1\nheads = ["humor"]'), "no head 'humor'"),
        (HEAD + RUN.replace("ours", "ouirs"), "unknown field `ouirs`"),
        (HEAD + RUN.replace("1e-4", "5"), "lr"),
        (HEAD + RUN.replace('"a"', '"../a"'), "name"),
        (HEAD + "[abstain]\nintent = {}\n" + RUN, "coverage or precision"),
        (HEAD + RUN + SOUP.replace("1.0", "0.5"), "sum to 1"),
        (HEAD + RUN + SOUP.replace("1.0", "0.5, 0.5"), "one for each"),
        ("\xff", "recipe.toml"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path, text, said) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=said):
        read_recipe(path)
