"""Reading params.yaml, and the messages about mistakes in it."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, ConfigDict, Field, RootModel, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import UserError, one_line, unknown_name
from stages.shared.params.mistakes import (
    DeclarationError,
    Mistake,
    declaration_error,
    describe,
    dotted,
    error_below,
    from_pydantic,
    line_numbers,
)
from stages.shared.params.settings import Settings, check_section, load_section, names_of
from stages.shared.params.yaml_file import line_of, plain, read

FILE = """\
# A comment
net:
  layers:
    - {units: 3}
    -
      units: 4
  name: x
other: 5
"""


def parsed(text: str) -> CommentedMap:
    content = YAML(typ="rt", pure=True).load(text)
    assert isinstance(content, CommentedMap)
    return content


def said(action: Any) -> str:
    with pytest.raises(UserError) as caught:
        action()
    return str(caught.value)


# The file


def test_a_file_is_read_as_utf_8_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("a: é\n\nb: 1e-3\n".encode())
    content = read(tmp_path / "x.yaml")
    assert dict(content) == {"a": "é", "b": 0.001}
    assert line_of(content, ("b",)) == 3


@pytest.mark.parametrize(
    ("content", "beginning", "word"),
    [
        (b"a: 1\nb: {c: 1,\n  c: 2}\n", "x.yaml, line 3: not valid YAML: ", 'duplicate key "c"'),
        (b"a: 1\nb: [1\n", "x.yaml, line 3: not valid YAML: ", "']'"),
        (b"a: b: c\n", "x.yaml, line 1: not valid YAML: ", "mapping"),
        (b"a:\n\tb: 1\n", "x.yaml, line 2: not valid YAML: ", "\\t"),
        (b"a: 1\nb: *x\n", "x.yaml, line 2: not valid YAML: ", "alias 'x'"),
        (b"a: 1\n---\nb: 2\n", "x.yaml, line 2: not valid YAML: ", "another document"),
        (b"a: \xff\n", "x.yaml: not valid YAML: ", "0xff in position 3"),
        (b"a: \x01\n", "x.yaml: not valid YAML: ", "#x0001"),
        (b"- 1\n", "x.yaml ", "mapping of sections"),
        (b"", "x.yaml ", "mapping of sections"),
    ],
)
def test_a_file_that_is_not_a_mapping_of_sections(
    content: bytes, beginning: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_bytes(content)
    message = said(lambda: read(Path("x.yaml")))
    assert message.startswith(beginning) and word in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(read) == (
        "params.yaml is missing; restore it with 'git checkout HEAD -- params.yaml' or, if it was never committed, "
        "from the archive that the project came from"
    )
    Path("params.yaml").mkdir()
    assert said(read) == f"cannot read params.yaml: {os.strerror(21)}"


# Sections


class Layer(Settings):
    """A layer."""

    units: int = Field(ge=1)
    kind: Annotated[str, Field(pattern="^[a-z]+$")] = "dense"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Free(Settings):
    """Settings that a library checks."""

    model_config = ConfigDict(extra="allow")


class Net(Settings):
    """A section."""

    layers: dict[str, Layer] = Field({})
    sizes: list[int] = Field([], min_length=2)
    optimizer: Free = Free()
    width: Annotated[int, AfterValidator(_even)] = 2
    label: str = Field("", alias="name")

    @model_validator(mode="after")
    def _no_third(self) -> "Net":
        if self.width == 6:
            raise error_below((), "six is none")
        if "third" in self.layers:
            raise error_below(("layers", "third"), "third is too many")
        return self


def test_a_section_is_checked_and_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("net: {width: 4}\n")
    assert load_section("net", Net).width == 4
    assert check_section("net", Net, parsed("net: {width: 8}\n")).width == 8
    assert said(lambda: load_section("nets", Net)) == "params.yaml, line 1: nets: the section is missing"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("net:\n  width: true", ["line 2: net.width: is true: must be a valid integer"]),
        ("net:\n  width: 3", ["line 2: net.width: is 3: must be even"]),
        ("# A comment\nnet:\n  width: 6", ["line 2: net: six is none"]),
        ("net: 3", ["line 1: net: is 3: must be a mapping of settings"]),
        ("net:\n  sizes: [1]", ["line 2: net.sizes: is a list: must have at least 2 items, not 1"]),
        ("net:\n  sizes:\n  - 1\n  - x", ["line 4: net.sizes.1: is 'x': must be a valid integer"]),
        ("net:\n  layers: 3", ["line 2: net.layers: is 3: must be a mapping ({} if empty)"]),
        ("net:\n  layers:\n    a: {}", ["line 3: net.layers.a.units: missing"]),
        (
            "net:\n  layers:\n    a:\n      units: 0",
            ["line 4: net.layers.a.units: is 0: must be greater than or equal to 1"],
        ),
        ("net:\n  layers:\n    a: {units: 1, kind: X}", ["line 3: net.layers.a.kind: is 'X': must match ^[a-z]+$"]),
        ("net:\n  layers:\n    3: {units: 1}", ["line 3: net.layers.3: the key must be a string"]),
        ("net:\n  optimizer:\n    3: x", ["line 3: net.optimizer.3: the key must be a string"]),
        ("net:\n  layers:\n    third: {units: 1}", ["line 3: net.layers.third: third is too many"]),
        (
            "net:\n  layers:\n    a:\n      unit: 1",
            ["line 4: net.layers.a.unit: unknown key 'unit'; did you mean 'units'? allowed: kind, units"],
        ),
        (
            "net:\n  label: x",
            ["line 2: net.label: unknown key 'label'; allowed: layers, name, optimizer, sizes, width"],
        ),
        (
            "net:\n  width: 1\n  name: 2",
            ["line 2: net.width: is 1: must be even", "line 3: net.name: is 2: must be a valid string"],
        ),
    ],
)
def test_each_message_names_line_place_and_value(text: str, sentences: list[str]) -> None:
    def check() -> None:
        with line_numbers(content := parsed(text)):
            check_section("net", Net, content)

    found = said(check)
    assert found.splitlines() == [f"params.yaml, {sentence}" for sentence in sentences]


def test_line_numbers_are_added_to_declaration_errors() -> None:
    error = DeclarationError(Mistake(("net", "name"), "is odd"), Mistake(("net", "layers"), "has no x"))
    assert isinstance(error, UserError)
    assert str(error) == "params.yaml: net.name: is odd\nparams.yaml: net.layers: has no x"

    def act() -> None:
        with line_numbers(parsed(FILE)):
            raise error

    assert said(act) == "params.yaml, line 7: net.name: is odd\nparams.yaml, line 3: net.layers: has no x"
    assert declaration_error(("a",), "b").mistakes == (Mistake(("a",), "b"),)


# Wording


def test_the_closest_known_name_is_suggested() -> None:
    assert (
        unknown_name("epoch", ["seed", "epochs"]) == "unknown key 'epoch'; did you mean 'epochs'? allowed: epochs, seed"
    )
    assert unknown_name("epoch", ["epoche", "epochs", "poch"]).startswith("unknown key 'epoch'; did you mean 'epochs'?")
    assert unknown_name("x", ["seed"], "word") == "unknown word 'x'; allowed: seed"


def test_a_long_list_is_omitted_if_a_close_name_is_known() -> None:
    names = [f"name{number:02}" for number in range(13)]
    assert unknown_name("name0", names[:12]).endswith(f" allowed: {', '.join(names[:12])}")
    assert unknown_name("name12x", names) == "unknown key 'name12x'; did you mean 'name12'?"
    assert unknown_name("x", names).endswith(f"; allowed: {', '.join(names)}")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("on", "'on'"),
        ("x" * 60, f"'{'x' * 60}'"),
        ("y" * 61, f"'{'y' * 57}...'"),
        ({}, "a mapping"),
        ([], "a list"),
        ((), "a list"),
        (float("nan"), "not a number (.nan)"),
        (1.5, "1.5"),
        (3, "3"),
    ],
)
def test_a_value_is_described_as_in_the_file(value: object, words: str) -> None:
    assert describe(value) == words


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("net",), 2),
        (("net", "layers"), 3),
        (("net", "layers", 0), 4),
        (("net", "layers", 1, "units"), 6),
        (("net", "layers", 7), 3),
        (("net", "layers", "x"), 3),
        (("net", "name"), 7),
        (("net", "nothing", "name"), 2),
        (("net", "name", "beyond"), 7),
        (("other", "beyond"), 8),
    ],
)
def test_the_line_is_that_of_the_deepest_existing_key(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(parsed(FILE), path) == line


def test_unprintable_characters_are_escaped() -> None:
    assert one_line("na\u00efve 4\x00, \n and \x1b[2J") == "na\u00efve 4\\x00, and \\x1b[2J"
    assert one_line(" a\x85b ", length=3) == "a\\x85b"


def test_a_place_is_written_with_dots() -> None:
    assert dotted(("net", "layers", 1)) == "net.layers.1"
    assert dotted(("net", True, None)) == "net.true.null"  # type: ignore[arg-type]


def test_values_of_ruamel_yaml_become_plain() -> None:
    content = parsed('a: &x true\nb: 0x10\nc: 1e-6\nd: "e"\nf: [1, {g: null}]\nh: 2026-01-01\ni: *x\n3: no\n')
    found = plain(content)
    assert found == {
        "a": True, "b": 16, "c": 1e-6, "d": "e", "f": [1, {"g": None}], "h": "2026-01-01", "i": True, 3: "no"
    }  # fmt: skip
    assert [type(value) for value in found.values()] == [bool, int, float, str, list, str, bool, str]
    assert [type(key) for key in found] == [str] * 7 + [int]
    assert (type(found), type(found["f"][1])) == (dict, dict)
    assert plain((1, "a")) == [1, "a"]


# Names


class Named(RootModel[Annotated[dict[Any, int], names_of("net")]]):
    """A mapping of names."""


def test_names_that_files_and_dvc_can_hold() -> None:
    names = dict.fromkeys(["mlp-48", "a_b", "A", "4a", "0-1", "a-", "1_", "a" * 64, "all-nets"], 1)
    assert Named.model_validate(names).root == names


@pytest.mark.parametrize("name", ["", "_", "_-", "_a", "-", "-a", "48", "a.b", "a b", "\u00e9", 48, None, True])
def test_names_that_they_cannot_hold(name: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Named.model_validate({"a": 1, name: 1})
    (details,) = caught.value.errors()
    mistake = from_pydantic(("nets",), details)
    assert mistake.place == ("nets", name)
    assert re.search(rf"{re.escape(describe(name))}.* net.*letters, digits, hyphens and underscores", mistake.text)
