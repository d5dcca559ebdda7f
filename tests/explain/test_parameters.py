import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from explain.catalog import algorithm_names
from explain.errors import ExplanationError
from explain.rendering import visualizations
from explain.request.defaults import DEFAULTS, HOSTED
from explain.request.describe import (
    ALGORITHMS,
    colour_maps_table,
    hosted_table,
    parameter_rows,
    parameters_table,
    visualizations_table,
)
from explain.request.parameter_types import AlgorithmName, BaselineName, RuleName, visualization_names
from explain.request.parameters import ExplanationParameters, default, read_parameters
from models.discovery import constants
from tests.support.contract import contract

# those that hide parts of an image, which the original does not offer
HIDING = ("rise", "drise", "occlusion", "feature_ablation", "shapley_value_sampling", "kernel_shap", "lime")
ORIGINAL = {"xrai", "integrated_gradients", "guided_gradcam", "guided_backprop"}
BASELINES = "one of black, white, mean, blur, noise, image_min, image_max or a list of these"
SHARE = "a number from 0 to 1"
TARGETS = "a label, a whole number of at least 0, predicted, a box with a label, or a list of up to 100 of these"


def refusal(content: object, code: str = "xai_parameters_invalid") -> str:
    with pytest.raises(ExplanationError) as caught:
        read_parameters(content)
    assert caught.value.code == code
    return str(caught.value)


@pytest.mark.parametrize("content", [None, {}, {"n_steps": None, "xai_algorithm": None}])
def test_nothing_given_means_every_default(content: object) -> None:
    assert read_parameters(content).model_dump() == {
        "xai_algorithm": None,
        "compatibility": None,
        "target": None,
        "against": None,
        "top_k": None,
        "aspect": "label",
        "confidence_score_threshold_multilabel": 0.5,
        "output": "logit",
        "n_steps": "auto",
        "max_n_steps": 32,
        "approximation_method": "riemann_middle",
        "baseline": ("black", "white"),
        "xrai_fast": True,
        "area_threshold": 1.0,
        "interpolation": "bilinear",
        "noise_samples": 0,
        "noise_std": 0.2,
        "n_masks": 512,
        "n_segments": 49,
        "mask_share": 0.5,
        "seed": 0,
        "guided_relu6": True,
        "double_scaling": False,
        "explain_budget_ms": None,
        "visualizations": True,
        "visualization": "grid",
        "colour_map": None,
        "sign": "positive",
        "outlier_percent": 2.0,
        "overlay_opacity": 0.5,
        "extent": None,
        "one_picture": False,
        "captions": True,
        "attributions": False,
        "attributions_format": "list",
        "attributions_channels": None,
        "quality": (),
    }


def test_what_is_left_open_depends_on_what_is_served() -> None:
    open_, chosen = read_parameters(None), read_parameters({"xai_algorithm": "xrai", "attributions_channels": 3})
    assert open_.algorithm == "xrai"
    assert open_.for_kind("classifier") == open_
    detector = open_.for_kind("detector")
    assert (detector.algorithm, detector.extent, detector.attributions_channels) == ("odam", "picture", 1)
    assert chosen.for_kind("detector").algorithm == "xrai"
    assert chosen.for_kind("detector").attributions_channels == 3


@pytest.mark.parametrize(
    ("algorithm", "baseline", "sign"),
    [
        ("xrai", ("black", "white"), "positive"),
        ("integrated_gradients", ("blur",), "positive"),
        ("gradcam", ("blur",), "positive"),
        ("layercam", ("blur",), "positive"),
        ("attention", ("blur",), "positive"),
        *((name, ("blur",), "positive") for name in HIDING),
        ("guided_gradcam", ("blur",), "absolute"),
        ("guided_backprop", ("blur",), "absolute"),
    ],
)
def test_defaults_that_depend_on_the_algorithm(algorithm: str, baseline: Any, sign: str) -> None:
    found = read_parameters({"xai_algorithm": algorithm})
    assert (found.baseline, found.sign) == (baseline, sign)


@pytest.mark.parametrize(
    ("key", "given", "read"),
    [
        ("n_steps", 2, 2),
        ("n_steps", 1000, 1000),
        ("n_steps", "auto", "auto"),
        ("approximation_method", "pair", "pair"),
        ("baseline", "blur", ("blur",)),
        ("baseline", ["black", "noise"], ("black", "noise")),
        ("target", "can", ("can",)),
        ("target", 0, (0,)),
        ("target", ["can", 3], ("can", 3)),
        ("against", "can", "can"),
        ("against", 0, 0),
        ("top_k", 3, 3),
        ("confidence_score_threshold_multilabel", "0.25", 0.25),
        ("confidence_score_threshold_multilabel", 0, 0.0),
        ("area_threshold", 1, 1.0),
        ("quality", True, ("insertion", "deletion")),
        ("quality", False, ()),
        ("quality", "deletion", ("deletion",)),
        ("quality", ["deletion", "insertion"], ("deletion", "insertion")),
        ("attributions_channels", 1, 1),
        ("colour_map", "CET_CBL2", "CET_CBL2"),
    ],
)
def test_what_a_value_is_read_as(key: str, given: object, read: object) -> None:
    found = getattr(read_parameters({key: given}), key)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize("word", ["y", "Yes", "T", "true", "ON", "1", 1, True])
def test_words_for_true(word: object) -> None:
    assert read_parameters({"xrai_fast": word}).xrai_fast is True


@pytest.mark.parametrize("word", ["n", "No", "f", "FALSE", "off", "0", 0, False])
def test_words_for_false(word: object) -> None:
    assert read_parameters({"xrai_fast": word}).xrai_fast is False


@pytest.mark.parametrize("visualization", visualization_names())
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_name_is_accepted(visualization: str, algorithm: str) -> None:
    found = read_parameters({"visualization": visualization, "xai_algorithm": algorithm})
    assert (found.visualization, found.xai_algorithm) == (visualization, algorithm)


@pytest.mark.parametrize("rule", get_args(RuleName))
@pytest.mark.parametrize("baseline", get_args(BaselineName))
def test_every_rule_and_baseline_is_accepted(rule: str, baseline: str) -> None:
    found = read_parameters({"approximation_method": rule, "baseline": baseline})
    assert (found.approximation_method, found.baseline) == (rule, (baseline,))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("n_steps", 1, "a whole number from 2 to 1000 or auto"),
        ("n_steps", 1001, "a whole number from 2 to 1000 or auto"),
        ("n_steps", 50.0, "a whole number from 2 to 1000 or auto"),
        ("n_steps", True, "a whole number from 2 to 1000 or auto"),
        ("n_steps", "50", "a whole number from 2 to 1000 or auto"),
        ("visualizations", "truly", "true or false"),
        ("attributions", 7, "true or false"),
        ("captions", [], "true or false"),
        ("xrai_fast", "maybe", "true or false"),
        ("xrai_fast", 2, "true or false"),
        ("confidence_score_threshold_multilabel", "high", SHARE),
        ("confidence_score_threshold_multilabel", 1.5, SHARE),
        ("confidence_score_threshold_multilabel", float("nan"), SHARE),
        ("area_threshold", -0.1, SHARE),
        ("overlay_opacity", [0.5], SHARE),
        ("baseline", [], BASELINES),
        ("baseline", 0, BASELINES),
        ("baseline", ["black"] * 9, BASELINES),
        ("target", True, f"{TARGETS} or null"),
        ("target", -1, f"{TARGETS} or null"),
        ("target", "", f"{TARGETS} or null"),
        ("target", [], f"{TARGETS} or null"),
        ("target", [["can"]], f"{TARGETS} or null"),
        ("target", list(range(101)), f"{TARGETS} or null"),
        ("against", -1, "a label, a whole number of at least 0, or rest or null"),
        ("against", ["can"], "a label, a whole number of at least 0, or rest or null"),
        ("against", True, "a label, a whole number of at least 0, or rest or null"),
        ("top_k", 0, "a whole number from 1 to 100 or null"),
        ("noise_samples", 101, "a whole number from 0 to 100"),
        ("noise_std", -1, "a number from 0 to 10"),
        ("noise_std", float("inf"), "a number from 0 to 10"),
        ("seed", -1, "a whole number from 0 to 4294967295"),
        ("explain_budget_ms", 0, "a whole number from 1 to 3600000 or null"),
        ("outlier_percent", 51, "a number from 0 to 50"),
        ("attributions_channels", 2, "one of 3, 1 or null"),
        ("quality", 1, "true, false, insertion, deletion or a list of these two"),
        ("xai_algorithm", ["xrai"], f"one of {', '.join(ALGORITHMS)} or null"),
        ("sign", "negative", "one of absolute, positive, signed"),
        ("interpolation", "bicubic", "one of bilinear, nearest"),
        ("extent", "all", "one of crop, picture or null"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(key: str, value: object, expected: str) -> None:
    message = refusal({key: value})
    assert message.startswith(f"'{key}' is ")
    assert f"; expected {expected}." in message


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ({"approximation_method": "riemann_midle"}, "Did you mean 'riemann_middle'"),
        ({"baseline": ["black", "withe"]}, "Did you mean 'white'?"),
        ({"visualization": "heat_map"}, "Did you mean 'heatmap'?"),
        ({"colour_map": "cet_cbl2"}, "Did you mean 'CET_CBL2' or"),
        ({"n_steps": "atuo"}, "Did you mean 'auto'?"),
        ({"compatibility": "azure"}, "Did you mean 'azureml'?"),
        ({"nsteps": 5}, "The key 'nsteps' of `xai_parameters` is not known. Did you mean 'n_steps' or "),
        ({"color_map": "fire"}, "Did you mean 'colour_map'?"),
        ({"qqqq": 1}, "The key 'qqqq' of `xai_parameters` is not known. Known: xai_algorithm, compatibility, "),
    ],
)
def test_near_matches(content: dict[str, Any], hint: str) -> None:
    assert hint in refusal(content)


@pytest.mark.parametrize(
    ("algorithm", "hint"),
    [
        ("lrp", "'lrp'; expected one of xrai, "),
        ("integrated_gradient", "Did you mean 'integrated_gradients'?"),
        ("XRAI", "Did you mean 'xrai'?"),
        ("", "''; expected one of xrai, "),
    ],
)
def test_an_unknown_algorithm_has_a_code_of_its_own(algorithm: str, hint: str) -> None:
    for more in ({}, {"n_steps": 0}, {"compatibility": "azureml"}):
        assert hint in refusal({"xai_algorithm": algorithm} | more, "algorithm_unknown")


@pytest.mark.parametrize(
    "key", ["xrai_fast", "guided_relu6", "double_scaling", "visualizations", "attributions", "captions"]
)
def test_every_boolean_is_read_from_a_word(key: str) -> None:
    for word, meaning in {"True": True, "yes": True, "FALSE": False, "0": False, "oN": True}.items():
        assert getattr(read_parameters({key: word}), key) is meaning


def test_several_wrong_values_are_all_named() -> None:
    message = refusal({"n_steps": 0, "sign": "up"})
    assert "'n_steps' is 0" in message
    assert "'sign' is 'up'" in message


def test_many_stray_keys_make_a_short_message() -> None:
    assert len(refusal({f"key{number}" * 50: 1 for number in range(1000)})) < 3000


@pytest.mark.parametrize("content", [5, "xrai", [], [{}], True, "x" * 100_000])
def test_only_an_object_will_do(content: object) -> None:
    message = refusal(content)
    assert "expected a JSON object" in message
    assert len(message) < 300


def test_long_and_deep_values_are_cut_short() -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    for value in (deep, "x" * 100_000, [True] * 1_000_000, {"a": ["b" * 1000] * 1000}, 10**4000):
        for key in ("n_steps", "quality", "baseline", "sign", "noise_std"):
            assert len(refusal({key: value})) < 700
    while deep:  # freed level by level: the interpreter would do it recursively
        deep = deep.pop()


def test_one_way_to_choose_labels() -> None:
    assert "'target' and 'top_k'" in refusal({"target": 1, "top_k": 2})


def test_the_pair_rule_belongs_to_xrai() -> None:
    content = {"xai_algorithm": "integrated_gradients", "approximation_method": "pair"}
    assert "'pair'" in refusal(content)
    assert read_parameters(content | {"xai_algorithm": "guided_backprop"})


def test_a_key_of_another_algorithm_is_checked_and_ignored() -> None:
    assert read_parameters({"xai_algorithm": "gradcam", "n_steps": 10}).n_steps == 10
    assert "'n_steps' is 1" in refusal({"xai_algorithm": "gradcam", "n_steps": 1})


def test_compatibility_takes_all_choices_of_the_original() -> None:
    xrai = read_parameters({"compatibility": "azureml"})
    assert (xrai.n_steps, xrai.approximation_method, xrai.output) == (50, "pair", "softmax")
    assert (xrai.baseline, xrai.double_scaling, xrai.sign) == (("image_min", "image_max"), True, "absolute")
    gradients = read_parameters({"compatibility": "azureml", "xai_algorithm": "integrated_gradients"})
    assert (gradients.n_steps, gradients.approximation_method) == (50, "riemann_middle")
    assert (gradients.noise_samples, gradients.noise_std, gradients.output) == (5, 0.2, "logit")
    assert (gradients.baseline, gradients.double_scaling) == (("mean",), False)
    backprop = read_parameters({"compatibility": "azureml", "xai_algorithm": "guided_backprop"})
    assert (backprop.noise_samples, backprop.guided_relu6) == (5, False)
    gradcam = read_parameters({"compatibility": "azureml", "xai_algorithm": "guided_gradcam"})
    assert (gradcam.noise_samples, gradcam.interpolation, gradcam.guided_relu6) == (0, "nearest", False)


def test_an_explicit_key_overrules_compatibility() -> None:
    found = read_parameters({"compatibility": "azureml", "n_steps": 10, "double_scaling": False, "colour_map": "fire"})
    assert (found.n_steps, found.double_scaling, found.colour_map) == (10, False, "fire")
    assert found.approximation_method == "pair"


def test_the_layers_hold_known_keys_and_algorithms() -> None:
    assert set(HOSTED) == set(ALGORITHMS) >= ORIGINAL
    assert set(DEFAULTS) <= set(ALGORITHMS)
    for layer in [*HOSTED.values(), *DEFAULTS.values()]:
        assert set(layer) <= set(ExplanationParameters.model_fields)


def test_the_names_are_those_of_the_code() -> None:
    assert sorted(get_args(AlgorithmName)) == sorted(algorithm_names())


# what `compatibility` leaves alone unless the original differs
UNCHANGED: dict[str, Any] = {
    "output": "logit",
    "max_n_steps": 32,
    "approximation_method": "riemann_middle",
    "xrai_fast": True,
    "area_threshold": 1.0,
    "interpolation": "bilinear",
    "noise_samples": 0,
    "noise_std": 0.2,
    "seed": 0,
    "guided_relu6": True,
    "double_scaling": False,
    "quality": (),
}


@contract(
    "Explanations",
    "What each algorithm computes",
    "better",
    "better choices by default; `compatibility: azureml` computes as the original does",
)
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (
            "xrai",
            {
                "output": "softmax",
                "n_steps": 50,
                "approximation_method": "pair",
                "baseline": ("image_min", "image_max"),
                "xrai_fast": True,
                "area_threshold": 1.0,
                "double_scaling": True,
            },
        ),
        (
            "integrated_gradients",
            {
                "output": "logit",
                "n_steps": 50,
                "approximation_method": "riemann_middle",
                "baseline": ("mean",),  # zeros after normalisation
                "noise_samples": 5,
                "noise_std": 0.2,
            },
        ),
        ("guided_backprop", {"output": "logit", "noise_samples": 5, "noise_std": 0.2, "guided_relu6": False}),
        (
            "guided_gradcam",
            {"output": "logit", "noise_samples": 0, "interpolation": "nearest", "guided_relu6": False},
        ),
        ("gradcam", {"output": "logit", "interpolation": "nearest"}),  # the half of guided_gradcam
        *((name, {"output": "logit", "baseline": ("blur",)}) for name in HIDING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_compatibility_computes_as_the_original_documents(algorithm: str, expected: dict[str, Any]) -> None:
    found = read_parameters({"compatibility": "azureml", "xai_algorithm": algorithm})
    computing = UNCHANGED | expected
    assert {name: getattr(found, name) for name in computing} == computing


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "content", [{}, {"compatibility": "azureml"}, {"target": ["can", 3], "against": "rest", "quality": True}], ids=str
)
def test_the_engine_builds_the_same_parameters_from_their_fields(algorithm: str, content: dict[str, Any]) -> None:
    parameters = read_parameters({"xai_algorithm": algorithm} | content)
    fields = json.loads(json.dumps(parameters.fields()))
    assert set(fields) == set(ExplanationParameters.model_fields)
    assert ExplanationParameters.from_fields(fields) == parameters


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        {"xai_algorithm": "gradcam"},
        read_parameters({}).fields() | {"other": 1},
        read_parameters({}).fields() | {"n_steps": 1},
        read_parameters({}).fields() | {"target": ["can"], "top_k": 2},
    ],
    ids=["null", "list", "empty", "some", "unknown", "invalid", "contradiction"],
)
def test_the_engine_refuses_fields_that_are_not_complete_and_valid(fields: object) -> None:
    with pytest.raises(ExplanationError) as caught:
        ExplanationParameters.from_fields(fields)
    assert caught.value.code == "xai_parameters_invalid"
    assert len(str(caught.value)) < 300


def test_parameters_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_parameters({}).n_steps = 5  # type: ignore[misc]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(["xrai", "auto", "black", "azureml", "grid", "1", "0.5", "positive"])


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from([*ExplanationParameters.model_fields, "other"]), JSON | WORDS, max_size=4))
def test_any_object_gives_parameters_or_an_error(content: dict[str, Any]) -> None:
    try:
        found = read_parameters(content)
    except ExplanationError as error:
        unknown = isinstance(content.get("xai_algorithm"), str) and content["xai_algorithm"] not in ALGORITHMS
        assert error.code in ("xai_parameters_invalid", "box_invalid", "algorithm_unknown" if unknown else "")
        assert len(str(error)) < 3000
    else:
        # what was read is itself a valid request for the same
        assert read_parameters(json.loads(found.model_dump_json())) == found


def test_every_parameter_is_described() -> None:
    rows = parameter_rows()
    assert [row.key for row in rows] == list(ExplanationParameters.model_fields)
    for row in rows:
        assert row.meaning.endswith(".")
        assert row.accepts not in ("", "a value")
        assert row.default
        assert set(row.applies_to) <= set(ALGORITHMS)
    by_key = {row.key: row for row in rows}
    assert (
        by_key["baseline"].default
        == f"`black,white` for xrai; `blur` for {', '.join(['integrated_gradients', *HIDING])}"
    )
    assert by_key["sign"].default == (
        f"`positive` for xrai, integrated_gradients, gradcam, layercam, attention, odam, {', '.join(HIDING)}; "
        "`absolute` for guided_gradcam, guided_backprop"
    )
    assert by_key["n_steps"].applies_to == ("xrai", "integrated_gradients")
    assert parameters_table().count("\n") == len(rows) + 1


def test_the_table_of_compatibility_shows_what_changes() -> None:
    table = hosted_table()
    assert "| `double_scaling` | `true` | - | - | - | - | - | - |" in table
    assert "| `n_steps` | `50` | `50` | - | - | - | - | - |" in table
    assert "| `baseline` | `image_min,image_max` | `mean` | - | - | - | - | - |" in table
    assert "`noise_std`" not in table
    assert default("output", "xrai", hosted=True) == "softmax"


def test_the_other_tables_name_everything() -> None:
    for name in visualization_names():
        assert f"| `{name}` |" in visualizations_table()
    assert [stem for stem, _ in constants(visualizations, "VISUALIZATION")] == list(visualization_names())
    assert "equal to eyes that lack red or green" in colour_maps_table()
