"""Configurations that cannot be used: what is said about them."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.choices import check_choices
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.refusals import refused
from snntoolbox.workflow.config.schema import keys

MINIMAL = "[paths]\nfilename_ann = net\n"


@pytest.fixture
def message(tmp_path):
    def run(text="", *overrides, head=MINIMAL):
        path = tmp_path / "config.ini"
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(head + text)
        with pytest.raises(ConfigError) as caught:
            load_config(path, overrides)
        assert str(path) in caught.value.message
        return str(caught.value)

    return run


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("simulation.duration=ten", "simulation.duration = ten: must be an integer"),
        ("simulation.duration=1.5", "must be an integer"),
        ("simulation.duration=", "simulation.duration = : must be an integer"),
        ("simulation.duration=0", "must be at least 1"),
        ("simulation.duration=8 ; steps", "a comment needs a line of its own"),
        ("simulation.dt=0", "must be greater than 0"),
        ("simulation.dt=nan", "must be a number"),
        ("simulation.dt=inf", "must be a number"),
        ("simulation.dt=1e-60", "must be a number that float32, in which simulators compute, can hold"),
        ("cell.levels=[1e300, 1]", "must be a number that float32"),
        ("cell.levels=[1e-300, 1]", "must be a number that float32"),
        ("cell.levels=[10**400, 1]", "must be a"),
        ("cell.v_thresh=1e39", "must be a number that float32"),
        ("cell.v_reset=-1e300", "must be a number that float32"),
        ("cell.i_offset=1e-50", "must be a number that float32"),
        ("input.input_rate=1e300", "must be a number that float32"),
        ("simulation.dt=201", "simulation.dt = 201.0: must be at most simulation.duration, which is 200"),
        ("simulation.batch_size=0", "must be at least 1"),
        ("simulation.top_k=0", "must be at least 1"),
        ("simulation.num_to_test=0", "must be -1 (all) or at least 1"),
        ("simulation.num_to_test=-2", "must be -1 (all) or at least 1"),
        ("simulation.sample_idxs_to_test=[1, -2]", "must be a list of integers, none below 0"),
        ("simulation.sample_idxs_to_test=[True]", "must be a list of integers"),
        ("simulation.sample_idxs_to_test=xrange(3)", "must be a list of integers"),
        ("simulation.seed=-1", "must be between 0 and 4294967295"),
        ("simulation.device=gpu", "must be one of auto, cpu, cuda"),
        ("simulation.simulator=ini", "did you mean INI?"),
        ("simulation.simulator=neurn", "did you mean neuron?"),
        ("simulation.simulator=spinnaker", "did you mean spiNNaker?"),
        ("spinnaker.board=virtuel", "must be one of real, virtual, arithmetic; did you mean virtual?"),
        ("spinnaker.number_of_neurons_per_core=0", "must be at least 1"),
        ("simulation.simulator=loihi", "use simulator = sanafe"),
        ("simulation.simulator=MegaSim", "use simulator = INI"),
        ("simulation.simulator=megasim", "export CONFIG --to megasim"),
        ("input.model_lib=kreas", "must be one of auto, keras, pytorch, onnx, caffe, lasagne; did you mean keras?"),
        ("input.dataset_format=aedat4", "must be one of npz, jpg, png, events"),
        ("input.input_shape=(3, 0)", "whole numbers above 0 such as"),
        ("input.chip_size=240", "a pair of whole numbers above 0"),
        ("input.chip_size=(240, 0)", "a pair of whole numbers above 0"),
        ("input.poisson_input=maybe", "must be True or False"),
        ("input.datagen_kwargs=rescale", "must be a dictionary with string keys"),
        ("input.datagen_kwargs={1: 2}", "must be a dictionary with string keys"),
        ("input.datagen_kwargs={'rescale': 2}", "is for folders of images or recordings only"),
        ("input.datagen_kwargs=" + "(" * 500, "must be a dictionary"),
        ("normalization.percentile=0", "must be above 0 and at most 100"),
        ("normalization.percentile=100.1", "must be above 0 and at most 100"),
        ("conversion.weight_bits=1", "must be 0 (off) or between 2 and 16"),
        ("conversion.weight_bits=17", "must be 0 (off) or between 2 and 16"),
        ("conversion.initial_potential=1.1", "must be between 0 and 1"),
        ("conversion.recipe=best", "must be one of default, rueckauer2017, spinnaker"),
        ("conversion.num_bits=0", "must be between 1 and 32"),
        ("conversion.maxpool_type=nonsense", "must be one of relu_tree, gate"),
        (
            "cell.reset=Reset by substraction",
            "must be one of subtract, zero, modulo; did you mean Reset by subtraction?",
        ),
        ("cell.scaling_factor=0", "must be between 1 and 1048576 or 10000000 (off)"),
        ("cell.v_thresh=-1", "must be above cell.v_rest, which is 0.0"),
        ("output.log_vars={'mem'}", "mem is not known"),
        ("output.log_vars={'spiketrains_n_b_l'}", "did you mean spiketrains_n_b_l_t?"),
        ("output.plot_vars=__import__('os').getcwd()", "must be a set of names"),
        ("output.plot_vars={1}", "must be a set of names"),
        ("output.plot_vars=3", "must be a set of names"),
        ("output.plot_vars={'v_mem': 1}", "must be a set of names"),
        ("output.plotproperties={'a': open('x')}", "must be a dictionary"),
        ("paths.runlabel=../x", "must be a name that can be a folder"),
        ("paths.runlabel=", "must be a name that can be a folder"),
        ("paths.runlabel=/x", "must be a name that can be a folder"),
        ("simulation.duraton=3", "simulation.duraton: unknown key; did you mean duration?"),
        ("simulation.percentile=3", "it belongs to [normalization]"),
        ("tools.evaluate_nn=True", "did you mean evaluate_ann?"),
        ("simulaton.duration=3", "[simulaton]: unknown section; did you mean simulation?"),
        ("duration=3", "--set duration=3: must be section.key=value"),
        ("simulation.duration", "--set simulation.duration: must be section.key=value"),
    ],
)
def test_wrong_value(message, override, words):
    text = message("", override)
    assert words in text
    assert "has a problem:" in text


OTHER = {bool: "{}", int: "12345", float: "0.5", str: "something", dict: "{'a': 1}", list: "[1]", type(None): "(1, 2)"}


@pytest.mark.parametrize("row", refused().values(), ids=lambda row: row.path)
def test_refused_key_at_another_value(message, row):
    value = str(not row.default) if isinstance(row.default, bool) else OTHER[type(row.default)]
    text = f"{row.path} = {value}: {row.reason}"
    if "MegaSim" in row.only:
        return  # whatever it is set to: that simulator cannot be chosen
    assert text in message("", f"{row.path}={value}", *[f"simulation.simulator={name}" for name in row.only[:1]])


@pytest.mark.parametrize("row", refused().values(), ids=lambda row: row.path)
@pytest.mark.parametrize("write", [str, lambda value: ""], ids=["default", "empty"])
def test_refused_key_at_its_default(tmp_path, row, write):
    (tmp_path / "config.ini").write_text(MINIMAL)
    load_config(tmp_path / "config.ini", [f"{row.path}={write(row.default)}"])


@pytest.mark.parametrize("override", ["cell.delay=0.0", "cell.cm=1.", "cell.payloads=no", "cell.tau_syn_E=1e-2"])
def test_defaults_may_be_written_in_other_ways(tmp_path, override):
    (tmp_path / "config.ini").write_text(MINIMAL)
    load_config(tmp_path / "config.ini", [override])


def test_each_refusal_of_a_value_ends_in_a_way_out(message):
    for row in keys().values():
        for value, reason in row.refused.items():
            assert f"{value}" in message("", f"{row.path}={value}")
            assert ";" in reason


def test_all_problems_at_once(message):
    text = message(
        """runlabel = a
runlabel = b
[simulaton]
x = 1
[simulation]
duration = ten
batch = 3
[cell]
reset = none
[simulation]
dt = x
not a key
""",
        "nonsense",
        "cell.payloads=maybe",
    )
    expected = [
        "has 10 problems:",
        "paths.runlabel: is set again in line 4",
        "[simulation]: comes again in line 12",
        "line 14: expected key = value, not 'not a key'",
        "--set nonsense: must be section.key=value",
        "[simulaton]: unknown section; did you mean simulation?",
        "simulation.duration = ten: must be an integer",
        "simulation.batch: unknown key; did you mean batch_size?",
        "cell.reset = none: must be one of",
        "simulation.dt = x: must be a number",
        "cell.payloads = maybe: must be",
    ]
    lines = text.splitlines()
    assert len(lines) == len(expected)
    for line, words in zip(lines, expected, strict=True):
        assert words in line


def test_three_times_the_same_key(message):
    text = message("runlabel = a\nrunlabel = b\nrunlabel = c\n")
    assert "is set again in line 4" in text
    assert "is set again in line 5" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x89HDF\r\n\x1a\n\xff\xfe", "is not a text file"),
        (b"[paths]\nfilename_ann = a\0b\n", "is not a text file"),
        (b"duration = 3\n", "line 1: expected a section such as [paths]"),
        (b"# only a comment\n", "paths.filename_ann: is required"),
        (b"[DEFAULT]\nduration = 3\n", "[DEFAULT]: unknown section"),
    ],
)
def test_files_that_are_no_configuration(message, content, words):
    assert words in message(content)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "config.ini").write_text(MINIMAL, encoding="utf-8-sig")
    assert load_config(tmp_path / "config.ini").paths.filename_ann == "net"


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist\n.*snntoolbox init MODEL"):
        load_config(tmp_path / "absent.ini")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)


def test_a_model_in_place_of_a_configuration(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    with pytest.raises(ConfigError, match=r"is not a text file\n.*snntoolbox init .*net\.h5"):
        load_config(tmp_path / "net.h5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tools]\nparse = True\n", "paths.filename_ann: is required when tools.parse = True"),
        ("[tools]\nparse = False\n", "paths.filename_parsed_model: is required when tools.parse = False"),
        ("[tools]\nparse = False\nconvert = False\n", "paths.filename_snn: is required when tools.convert = False"),
        (
            "[tools]\nparse = False\nevaluate_ann = True\n[paths]\nfilename_parsed_model = p\n",
            "paths.filename_ann: is required when tools.evaluate_ann = True",
        ),
        (
            "[paths]\nfilename_ann = n\n[cell]\nreset = zero\nv_reset = 1\n",
            "cell.v_reset = 1.0: must be below cell.v_thresh, which is 1.0",
        ),
        (
            "[paths]\nfilename_ann = n\n[normalization]\nonline_normalization = True\n[simulation]\ndt = 0.3\n",
            "normalization.timestep_fraction = 10: must be a whole number of steps of 0.3 ms",
        ),
        ("[paths]\nfilename_ann = n\nclass_idx_path = c.json\n", "is for folders of images or recordings only"),
    ],
)
def test_conditions_between_keys(message, text, words):
    assert words in message(text, head="")


@pytest.mark.parametrize("switch", ["cell.payloads", "normalization.online_normalization"])
@pytest.mark.parametrize(
    ("other", "usual"),
    [
        ("cell.spikes = signed", "unsigned"),
        ("cell.levels = [1.0, 2.0]", "[1]"),
        ("cell.reset = zero", "subtract"),
        ("cell.reset = modulo", "subtract"),
        ("cell.tau_refrac = 2.0", "0"),
    ],
)
def test_special_spikes_and_what_does_not_go_with_them(message, tmp_path, switch, other, usual):
    text = message("", f"{switch}=True", other)
    assert f"{other}: does not go with {switch} = True" in text
    assert f"; set {other.split(' = ')[0]} = {usual} or {switch} = False" in text
    for way_out in (f"{other.split(' = ')[0]}={usual}", f"{switch}=False"):
        check_choices(load_config(tmp_path / "config.ini", [f"{switch}=True", other, way_out]))


def test_two_kinds_of_special_spikes(message):
    text = message("", "cell.payloads=True", "normalization.online_normalization=True")
    assert "normalization.online_normalization = True: lets spikes carry their threshold, cell.payloads = True" in text
    assert text.endswith("; set normalization.online_normalization = False or cell.payloads = False")


@pytest.mark.parametrize("line", ["cell.v_rest=-0.5", "cell.v_reset=-0.5", "cell.tau_refrac=1"])
@pytest.mark.parametrize("switch", ["cell.payloads", "normalization.online_normalization"])
def test_what_says_nothing_without_a_reset_to_zero_goes_with_special_spikes(tmp_path, line, switch):
    (tmp_path / "config.ini").write_text(MINIMAL)
    check_choices(load_config(tmp_path / "config.ini", [f"{switch}=True", line]))


@pytest.mark.parametrize(
    "line",
    [
        "reset = zero\nv_reset = -1e30\nv_thresh = 1e-30",
        "i_offset = 1e30\nv_thresh = 1e-30",
        "i_offset=1e-40\nv_thresh=1e9",
    ],
)
def test_what_is_beyond_float32_in_units_of_the_threshold(line, message):
    assert "it is beyond float32, in which simulators compute" in message(f"[cell]\n{line}\n")
