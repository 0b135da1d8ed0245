"""A canary: if the jaxtyping hook is off, every shape in this project is a comment."""

import pytest
import torch
from jaxtyping import TypeCheckError

from models.gaussian import Gaussian


def test_shape_annotations_are_enforced_in_tests() -> None:
    with pytest.raises(TypeCheckError):
        Gaussian(torch.zeros(2, 3), torch.zeros(2, 4))
