"""The keys that say what the data are, and how a sample is presented to the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snntoolbox.workflow.config.conversion_keys import always_fires, schedule_of
from snntoolbox.workflow.config.key import POSITIVE, at_least, exactly, key

_EMPTY_AUTO, _EMPTY_FALSE = {"": "auto"}, {"": "False"}
"""The toolbox has defaults of nothing at all."""
_TOOLBOX_WIDTH = 10
"""The default there: with other data than events it says nothing."""


def _no_events(settings: Any) -> str:
    """Why there are no events, if so."""
    form = settings.input.dataset_format
    return "" if form == "events" else f"dataset_format = {form}"


def uncounted(settings: Any) -> str:
    """Why input spikes are not counted, if so."""
    if settings.input.poisson_input:
        return "poisson_input = True; num_poisson_events_per_sample limits its spikes"
    if settings.input.latency_input:
        return "latency_input = True: a value has one spike in a window"
    if settings.input.digit_input:
        return "digit_input = True: a value has a spike for each binary digit"
    if settings.input.dataset_format == "events":
        return "dataset_format = events; num_dvs_events_per_sample limits its spikes"
    return "" if always_fires(settings) else f"schedule = {schedule_of(settings)}"


@dataclass(frozen=True)
class Input:
    """The format of the model and of the data set, and how a sample is presented to the network."""

    model_lib: str = key(
        "auto",
        "Library that made the model; auto tells it from the file's suffix.",
        choices=("auto", "keras", "pytorch", "onnx", "caffe", "lasagne"),
        plugins="snntoolbox.frontends",
    )
    converter_python: str = key(
        "",
        "Python that makes ONNX of a model which is not read here, and runs the original to compare: with tensorflow "
        "and tf2onnx for a SavedModel or a .tflite file, with jax2onnx for a .py file with a function of JAX.",
        derived="such models are refused",
    )
    input_shape: tuple[int, ...] | None = key(
        None,
        "Shape of a sample, without the batch, such as (3, 224, 224), for files that leave sizes open and modules that "
        "do not say it.",
        derived="what the model says",
    )
    input_tensor: str = key(
        "",
        "ONNX: tensor at which the network begins; what lies in front of it, such as a table of embeddings, stays "
        "outside, and samples are its values.",
        derived="the model's own input",
    )
    constant_inputs: Mapping[str, object] = key(
        {},
        "ONNX: the value of each input that is the same for all samples, such as {'attention_mask': 1}.",
    )
    dataset_format: str = key(
        "npz",
        "npz: arrays in .npz or .npy files; jpg, png: a folder of images with one sub-folder per class; events: the "
        "same with recordings of event cameras (.aedat, .aedat4, .bin, .bs2, .dat, .mat, .raw).",
        choices=("npz", "jpg", "png", "events"),
        aliases={"aedat": "events"},
    )
    datagen_kwargs: Mapping[str, object] = key(
        {},
        "Images: rescale (a factor on pixel values), data_format (channels_last or channels_first), samplewise_center, "
        "samplewise_std_normalization, featurewise_center, featurewise_std_normalization, zca_whitening, zca_epsilon, "
        "validation_split. Events: rescale is what an event adds to a frame.",
    )
    dataflow_kwargs: Mapping[str, object] = key(
        {},
        "Images: target_size (height, width), color_mode (rgb, grayscale, rgba), "
        "interpolation (nearest, bilinear, bicubic, lanczos, box, hamming), keep_aspect_ratio, classes (folders "
        "in order), subset (training or validation), follow_links, shuffle, seed, class_mode.",
    )
    num_dvs_events_per_sample: int = key(
        2000,
        "Events: a recording is cut into samples of so many events; -1 makes one sample of it.",
        rule=exactly(-1, "all") | at_least(1),
        idle=lambda settings: _no_events(settings),
    )
    eventframe_width: int = key(
        0,
        "Events: µs of a time step, which begins with the next event, so that silence takes no steps. 0: the events of "
        "a sample are spread over all steps of its duration, as they were over its time.",
        rule=at_least(0),
        idle=lambda settings: "" if settings.input.eventframe_width == _TOOLBOX_WIDTH else _no_events(settings),
    )
    frame_gen_method: Literal[
        "auto", "rectified_sum", "signed_sum", "rectified_polarity_channels", "signed_polarity_channels"
    ] = key(
        "auto",
        "Events: how they become frames for the original network, and which channel and sign their spikes have. "
        "rectified: each counts 1; signed: -1 where a pixel saw less light; polarity_channels: these in channel 0, the "
        "others in channel 1. auto: rectified_sum, or rectified_polarity_channels where the model has two channels.",
        aliases=_EMPTY_AUTO,
        idle=lambda settings: _no_events(settings),
    )
    chip_size: tuple[int, int] | None = key(
        None,
        "Events: (width, height) of the sensor, from which pixels are scaled to the size of the model's input.",
        derived="that which the file or its format names, else the size of the model's input",
        idle=lambda settings: _no_events(settings),
    )
    is_x_first: bool = key(
        False,
        "Events: the first axis of a frame is x, not y.",
        aliases=_EMPTY_FALSE,
        idle=lambda settings: _no_events(settings),
    )
    is_x_flipped: bool = key(
        False, "Events: mirror x.", aliases=_EMPTY_FALSE, idle=lambda settings: _no_events(settings)
    )
    is_y_flipped: bool = key(
        False, "Events: mirror y.", aliases=_EMPTY_FALSE, idle=lambda settings: _no_events(settings)
    )
    maxpool_subsampling: bool = key(
        True,
        "Events: those that have the same time, and, scaled to the input's size, the same pixel, count as one (and "
        "the same polarity where that matters).",
        idle=lambda settings: _no_events(settings),
    )
    do_clip_three_sigma: bool = key(
        True,
        "Events: leave out the last events of pixels whose sum is beyond three standard deviations of all.",
        idle=lambda settings: _no_events(settings),
    )
    label_dict: Mapping[str, object] = key(
        {},
        "Events: number of each class folder, such as {'left': 0, 'right': 1}.",
        idle=lambda settings: _no_events(settings),
    )
    head: str = key(
        "auto",
        "What the output means: classes (the largest value), logits (each value says 1 above 0), values (numbers of a "
        "regression). auto: as the model says by a softmax or sigmoid, else classes for a vector of two or more.",
        choices=("auto", "classes", "logits", "values"),
    )
    class_axis: int | None = key(
        None,
        "Axis of the output's sample along which the classes stand, where there are several per sample (a map); 0 is "
        "the first.",
        derived="the axis of a softmax, else none",
    )
    class_place: int | None = key(
        None,
        "The only place beside class_axis whose class counts, such as -1: the last step of a sequence.",
        derived="each of them",
    )
    scored_output: str = key(
        "",
        "Output that y_test is held against, where the model has several.",
        derived="the first",
    )
    poisson_input: bool = key(
        False,
        "Present samples as Poisson spike trains instead of a constant current.",
        recipe="encoding",  # a train depends on the data: see `recipe_of`
    )
    input_rate: float = key(
        1000.0,
        "Poisson rate in Hz of the largest input value; used when poisson_input = True.",
        rule=POSITIVE,
        recipe="encoding",
        idle=lambda settings: "" if settings.input.poisson_input else "poisson_input = False",
    )
    latency_input: bool = key(
        False,
        "Present each value as one spike in a window of steps, the earlier the larger; its synapses stay on up to the "
        "end of the window, or, with schedule = first-spike, it counts by its time.",
        recipe="encoding",
    )
    latency_steps: int = key(
        16,
        "Steps of a window of latency_input, which recur; a phased or first-spike schedule has its own.",
        rule=at_least(1),
        recipe="encoding",
        idle=lambda settings: "" if settings.input.latency_input else "latency_input = False",
    )
    digit_input: bool = key(
        False,
        "Present each value by its binary digits, one a step, the most significant first: for schedule = radix, whose "
        "first layer then needs no multiplier on a chip.",
        recipe="encoding",
    )
    num_poisson_events_per_sample: int = key(
        -1,
        "Present only the first so many Poisson spikes of each sample; -1 is all.",
        rule=exactly(-1, "all") | at_least(1),
        recipe="encoding",
        idle=lambda settings: "" if settings.input.poisson_input else "poisson_input = False",
    )
    max_num_input_spikes: int = key(
        -1,
        "End a run, for all samples, before they have on average more input spikes than this, where each value of a "
        "sample fires as often as it has added up to 1; -1 is no end. For constant input.",
        rule=exactly(-1, "none") | at_least(1),
        idle=lambda settings: uncounted(settings),
    )
    keras_dataset: str = key(
        "",
        "Take a data set of keras.datasets, from its cache or downloaded, instead of files: test images, and the first "
        "1000 training images for calibration. datagen_kwargs count.",
        choices=("", "mnist", "fashion_mnist", "cifar10", "cifar100"),
    )
