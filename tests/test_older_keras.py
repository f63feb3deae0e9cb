"""Saved nets in older versions of Keras, which the test installs from the package index: `make test-keras`."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from stages.shared.files.keras_models import save_net
from stages.shared.files.paths import NETS
from stages.shared.models.build_net import build
from stages.shared.models.fourier_conv2d import plain
from stages.shared.params import nets_section
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from tests.fixtures.small_project import PARAMS

DECLARED = check_section("nets", nets_section.Nets, read(PARAMS)).root
VERSIONS = ("3.5.0", "3.10.0", "3.12.4")  # docs/models-and-versions.md names the first
# What a user without this project would run.
PREDICT = """
import sys
import keras
import numpy as np

images = np.load("images.npy")
for path in sys.argv[2:]:
    net = keras.saving.load_model(path, safe_mode=True)
    np.save(f"{sys.argv[1]}-{net.name}.npy", net.predict(images, verbose=0))
print(keras.__version__)
"""


@pytest.fixture(scope="module")
def nets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with the nets of params.yaml, with random weights, and their predictions of the same images."""
    if request.config.option.markexpr != "keras":
        pytest.skip("needs a package index; run 'make test-keras'")
    folder = tmp_path_factory.mktemp("nets")
    rng = np.random.default_rng(0)
    images = rng.random((20, 28, 28, 1), np.float32)
    np.save(folder / "images.npy", images)
    predicted = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, net in DECLARED.items():
            model = plain(build(name, net, 28, 28, 10))
            # Some of the initial weights are zeros, with which every prediction would be the same.
            model.set_weights([weight + rng.uniform(0.01, 0.03, weight.shape) for weight in model.get_weights()])
            save_net(name, model)
            predicted[name] = model.predict(images, verbose=0)
    return folder, predicted


@pytest.mark.keras
@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_keras_loads_every_net_and_predicts_the_same(
    nets: tuple[Path, dict[str, np.ndarray]], version: str, tmp_path: Path
) -> None:
    folder, predicted = nets
    # The installed TensorFlow and NumPy serve every version.
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*install, f"keras=={version}"], check=True, timeout=300)
    ran = subprocess.run(
        [sys.executable, "-c", PREDICT, version, *(str(NETS.path(name)) for name in DECLARED)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [version] != [keras.__version__]
    for name, expected in predicted.items():
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(np.load(folder / f"{version}-{name}.npy"), expected, atol=1e-5)
