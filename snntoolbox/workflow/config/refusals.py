"""Keys of the SNN Toolbox that are not available: each is accepted at its default, and refused with the way out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from snntoolbox.workflow.config.key import Refused


def _refused(section: str, reason: str, **defaults: object) -> tuple[Refused, ...]:
    return tuple(Refused(section, name, default, reason) for name, default in defaults.items())


_EVENTS = "event data cannot be read yet; save frames as x_test.npz and leave this key out"
_LOIHI = "Loihi is not supported; leave the section out"
_PYNN = "belongs to neurons of PyNN, which are not used: all simulators run the same ones; leave it out"
_ONLINE = "only online normalisation uses it, which is not available; leave it out"

REFUSED: tuple[Refused, ...] = (
    *_refused("paths", "holding layers silent at the start is not available; leave it out", filename_clamp_indices=""),
    *_refused(
        "paths",
        "custom objects are not loaded; use layers of Keras itself or export the model to ONNX",
        filepath_custom_objects="",
    ),
    *_refused("input", "input trains are not cut; shorten simulation.duration", num_poisson_events_per_sample=-1),
    *_refused(
        "input", "the number of input spikes is not limited; shorten simulation.duration", max_num_input_spikes=-1
    ),
    *_refused(
        "input",
        _EVENTS,
        num_dvs_events_per_sample=2000,
        eventframe_width=10,
        label_dict={},
        chip_size=None,
        frame_gen_method="",
        is_x_first="",
        is_x_flipped="",
        is_y_flipped="",
        maxpool_subsampling=True,
        do_clip_three_sigma=True,
    ),
    *_refused("input", "is not downloaded; save it as x_test.npz, y_test.npz and x_norm.npz", keras_dataset=""),
    *_refused("tools", "there is nothing to serialise for INI; use simulate = False", serialise_only=False),
    *_refused(
        "normalization",
        "thresholds that differ by depth are not available; set one percentile",
        normalization_schedule=False,
    ),
    *_refused("normalization", "is not available; use tools.normalize with x_norm data", online_normalization=False),
    *_refused("normalization", _ONLINE, diff_to_max_rate=200, diff_to_min_rate=100, timestep_fraction=10),
    *_refused("conversion", "only temporal_pattern coding uses it, which is not available; leave it out", num_bits=32),
    *_refused("conversion", "a softmax does not change the predicted class; leave it out", append_softmax=False),
    *_refused(
        "simulation", "the state is reset before each sample and cannot be carried over", reset_between_nth_sample=1
    ),
    *_refused(
        "simulation",
        "Keras chooses its own backend; set the environment variable KERAS_BACKEND instead",
        keras_backend="tensorflow",
    ),
    *_refused("simulation", "is now simulation.early_exit, the share of predictions to keep", early_stopping=False),
    *_refused("spinnaker", "SpiNNaker is not supported; leave it out", number_of_neurons_per_core=64),
    *_refused("cell", _PYNN, v_rest=0, cm=1, tau_syn_E=0.01, tau_syn_I=0.01, scaling_factor=10000000),
    *_refused("cell", "spikes cross all layers within a time step in INI; leave it at 0", delay=0),
    *_refused("cell", "is not available; train the model with binary weights instead", binarize_weights=False),
    *_refused("cell", "is not available; use conversion.weight_bits", quantize_weights=False),
    *_refused("cell", "payloads are cell.levels here, values that spikes carry; leave it out", payloads=False),
    *_refused("cell", "is not available; biases are constant currents here", bias_relaxation=False),
    *_refused("parameter_sweep", "sweeps are not drawn; sweep.json holds the points", param_logscale=False),
    *_refused("output", "plots name layers as the model does", use_simple_labels=True),
    *_refused(
        "loihi",
        _LOIHI,
        reset_mode="",
        desired_threshold_to_input_ratio="",
        compartment_kwargs="",
        connection_kwargs="",
        validate_partitions="",
        save_output="",
        do_overflow_estimate="",
        normalize_thresholds="",
        profile_performance="",
        partition="",
        node="",
    ),
)
"""Known keys of the SNN Toolbox that are accepted only at their default."""

REFUSED_SECTIONS: Mapping[str, str] = {
    "restrictions": "what is supported is not a setting; leave the section out (frontends and simulators are plug-ins)"
}
"""Known sections that are refused as a whole."""


@cache
def refused() -> Mapping[str, Refused]:
    """Return ``section.name`` -> `Refused` of every known key that is accepted only at its default."""
    return {row.path: row for row in REFUSED}
