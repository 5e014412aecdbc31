"""Reference numbers of class activation maps: those that are there, and files made here by the
package grad-cam itself, of other layers and sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.cam import formulas
from models.reference import ReferenceFileError, replay

METHODS = {
    "gradcam": "GradCAM",
    "gradcampp": "GradCAMPlusPlus",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "gradcamelementwise": "GradCAMElementWise",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
}


def network() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 5, 3, padding=1),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    ).eval()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of the reference format that the package has made."""
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    subject, classes = network(), (2, 0)
    images = torch.randn(2, 3, 36, 52, generator=torch.Generator().manual_seed(1))
    targets = [ClassifierOutputTarget(one) for one in classes]
    tensors = {"input": images, "input.class_index": torch.tensor(classes)}
    for method, name in METHODS.items():
        maker = getattr(grad_cam, name)(subject, [subject[3]])
        seen = {}
        maker.get_cam_image = _kept(maker.get_cam_image, seen)
        final = maker(images, targets)
        tensors[f"attention.relu.{method}"] = torch.from_numpy(np.ascontiguousarray(final)).float()
        tensors[f"attention.relu.{method}.raw"] = torch.from_numpy(seen["raw"]).float()
        hooks = maker.activations_and_grads
        if hooks.gradients:  # Eigen-CAM asks for none
            tensors["output.relu.activations"] = hooks.activations[0].clone()
            tensors["output.relu.gradients"] = hooks.gradients[0].clone()
        hooks.release()
    path = tmp_path_factory.mktemp("cam") / "cam__relu.safetensors"
    save_file(tensors, path, {"slug": "cam__relu", "mechanism": "cam", "class": "GradCAM"})
    return path


def _kept(make, seen):
    def kept(*arguments):
        seen["raw"] = make(*arguments)
        return seen["raw"]

    return kept


@pytest.mark.parametrize("name", ["cam", "cam__layer3"])
def test_the_reference_files_are_reproduced(shared: Path, name: str) -> None:
    found = replay(shared / "reference" / f"{name}.safetensors")
    assert found.passed
    assert len([each for each in found.comparisons if each.name.endswith(".raw")]) == 6


def test_a_file_that_the_package_makes_now_is_reproduced(made: Path) -> None:
    found = replay(made)
    assert found.passed, [each for each in found.comparisons if not each.passed]
    assert {each.name for each in found.comparisons} == {
        f"attention.relu.{method}{end}" for method in METHODS for end in ("", ".raw")
    }


def test_another_number_is_noticed(made: Path, tmp_path: Path) -> None:
    tensors = load_file(made)
    for method in METHODS:
        changed = dict(tensors)
        changed[f"attention.relu.{method}.raw"] = tensors[f"attention.relu.{method}.raw"] + 1e-3
        path = tmp_path / f"{method}.safetensors"
        save_file(changed, path, {"slug": "cam", "mechanism": "cam", "class": "GradCAM"})
        wrong = [each.name for each in replay(path).comparisons if not each.passed]
        assert wrong == [f"attention.relu.{method}.raw"]


def test_a_file_of_which_nothing_can_be_computed_is_refused(made: Path, tmp_path: Path) -> None:
    tensors = {name: value for name, value in load_file(made).items() if "attention" not in name}
    path = tmp_path / "bare.safetensors"
    save_file(tensors, path, {"slug": "cam", "mechanism": "cam", "class": "GradCAM"})
    with pytest.raises(ReferenceFileError, match="can be computed"):
        replay(path)


def test_maps_of_a_case_done_by_hand() -> None:
    """Two channels on 1 x 2 places."""
    activations = torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]], dtype=torch.float64)
    gradients = torch.tensor([[[[1.0, 0.0]], [[-1.0, -3.0]]]], dtype=torch.float64)

    def row(found: torch.Tensor) -> list[float]:
        return [round(value, 4) for value in found[0, 0].tolist()]

    assert row(formulas.gradcam(activations, gradients)) == [0.5 - 4.0, 1.5]
    assert row(formulas.hirescam(activations, gradients)) == [1 - 2, 0]
    assert row(formulas.layercam(activations, gradients)) == [1, 0]
    assert row(formulas.elementwise(activations, gradients)) == [1, 0]
    # w = (1 * 1) / 4 and (-2) / 2: the sum of the map is the sum of g A.
    assert row(formulas.xgradcam(activations, gradients)) == [0.25 - 2, 0.75]
    # alpha = 1 / (2 + 4) where g is 1; what is negative counts for nothing.
    assert row(formulas.gradcam_plus_plus(activations, gradients)) == [round(1 / 6, 4), 0.5]


def test_eigencam_is_positive_where_the_features_are_strong() -> None:
    activations = torch.rand(1, 4, 3, 5, generator=torch.Generator().manual_seed(2)) * 0.1
    activations[0, :, 1, 2] += 3
    assert formulas.eigencam(activations)[0].argmax() == 1 * 5 + 2
    assert formulas.eigencam(-activations)[0].argmax() == 1 * 5 + 2
