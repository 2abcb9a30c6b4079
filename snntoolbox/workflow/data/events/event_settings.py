"""What the settings of a run say of recordings of event cameras."""

from __future__ import annotations

from snntoolbox.errors import DataError
from snntoolbox.workflow.choices import presents_events
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.data.events.event_sets import EventOptions
from snntoolbox.workflow.data.images import image_format

_KNOWN = {"datagen_kwargs": ("rescale", "data_format"), "dataflow_kwargs": ("classes", "class_mode", "shuffle")}


def event_options(settings: Settings) -> EventOptions:
    """The options of recordings; DataError where `datagen_kwargs` or `dataflow_kwargs` hold what goes with images."""
    data, paths = settings.input, settings.paths
    given = {"datagen_kwargs": data.datagen_kwargs, "dataflow_kwargs": data.dataflow_kwargs}
    if wrong := [f"{name} in {title}" for title, held in given.items() for name in held if name not in _KNOWN[title]]:
        known = ", ".join(name for names in _KNOWN.values() for name in names)
        told = f"{', '.join(wrong)} does not go with recordings of events"
        raise DataError(told, hint=f"leave it out; known: {known}")
    form = image_format(data.datagen_kwargs, data.dataflow_kwargs)
    return EventOptions(
        steps=settings.simulation.steps,
        events=data.num_dvs_events_per_sample,
        width=data.eventframe_width,
        labels={name: int(str(number)) for name, number in data.label_dict.items()},
        classes=form.classes,
        class_file=paths.class_idx_path,
        chip=data.chip_size,
        method="" if data.frame_gen_method == "auto" else data.frame_gen_method,
        data_format=str(data.datagen_kwargs.get("data_format", "")),
        x_first=data.is_x_first,
        x_flipped=data.is_x_flipped,
        y_flipped=data.is_y_flipped,
        unique=data.maxpool_subsampling,
        clipped=data.do_clip_three_sigma,
        value=form.rescale if "rescale" in data.datagen_kwargs else None,
        presented=presents_events(settings),
    )
