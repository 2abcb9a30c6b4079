"""How long `snntoolbox config.ini` takes from the shell to its report, beside what its stages take by themselves.

    python benchmarks/whole_run.py --zoo FOLDER
    python benchmarks/whole_run.py --zoo FOLDER --model keras_mnist_mlp_keras3 --samples 2000 --times 1

A shared model (see zoo.py beside) with its digits, repeated to so many. *whole* is the process of the command: start of
Python, libraries, data, report and page included. *own* is a process that calls the stages alone, by the library's
own functions: imports, the arrays, `load`, one pass of the original and one of the parsed graph, `convert`, `simulate`
batch by batch.
CPU time of one thread (a shared machine makes no difference to it), the least of some runs in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
STAGES = ("start", "data", "parse", "evaluate", "convert", "simulate")
CONFIG = """[paths]
filename_ann = {model}
log_dir_of_current_run = log

[simulation]
duration = {steps}
batch_size = {batch}
num_to_test = -1

[output]
overwrite = True
"""


def prepared(folder: Path, sample: Any, samples: int, steps: int, batch: int) -> Path:
    """The configuration of a run in a folder with the model, so many digits, and those of the calibration."""
    times = -(-samples // len(sample.x_test))
    shutil.copy(sample.file, folder)
    np.save(folder / "x_test.npy", np.concatenate([sample.x_test] * times)[:samples])
    np.save(folder / "y_test.npy", np.concatenate([sample.y_test] * times)[:samples])
    np.save(folder / "x_norm.npy", sample.x_cal[:1000])
    config = folder / "run.ini"
    config.write_text(CONFIG.format(model=Path(sample.file).name, steps=steps, batch=batch))
    return config


def stages(config: Path) -> dict[str, float]:
    """CPU seconds of each of `STAGES` in this process, which has just begun."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        before = 0.0 if stage == STAGES[0] else time.process_time()
        done = work()
        seconds[stage] = time.process_time() - before
        return done

    timed("start", _libraries)
    import snntoolbox as stb
    from snntoolbox.backends.simulate import simulate_batches
    from snntoolbox.engine.executor import Executor
    from snntoolbox.frontends.registry import frontend_for
    from snntoolbox.workflow.config.load import load_config

    settings = load_config(config)
    model, run = config.parent / settings.paths.filename_ann, settings.simulation
    x, _, norm = timed("data", lambda: [np.load(config.parent / f"{n}.npy") for n in ("x_test", "y_test", "x_norm")])
    frontend = frontend_for(model)
    opened = frontend.open(model)
    graph = timed("parse", lambda: stb.load(model))

    def passes() -> None:
        executor = Executor.double(graph)
        for start in range(0, len(x), run.batch_size):
            part = x[start : start + run.batch_size]
            frontend.predict(opened, part)
            executor.values(part)

    timed("evaluate", passes)
    network = timed("convert", lambda: stb.convert(graph, norm, duration=run.duration))
    batches = simulate_batches(network, x, run.duration, "INI", run.batch_size)
    timed("simulate", lambda: sum(result.samples for result in batches))
    return seconds


def _libraries() -> None:
    import snntoolbox.conversion.stages
    import snntoolbox.workflow.stories.run  # noqa: F401 - what the command imports, too


def whole(config: Path) -> tuple[float, float, dict[str, float]]:
    """CPU and wall-clock seconds of the command, and the seconds of its stages as its report has them."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "snntoolbox", config.name]
    process = subprocess.Popen(command, cwd=config.parent, env={**os.environ, **ONE_THREAD}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit("the run failed")
    report = json.loads((config.parent / "log" / "report.json").read_text())
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, report["seconds"]


def own(config: Path) -> dict[str, float]:
    """What `stages` measures, in a process of its own."""
    command = [sys.executable, __file__, "--stages-of", str(config)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(wholes: Sequence[tuple[float, float, dict[str, float]]], owns: Sequence[dict[str, float]]) -> str:
    """The least of each, in Markdown."""
    least = {stage: min(run[stage] for run in owns) for stage in STAGES}
    cpu, total = min(run[0] for run in wholes), sum(least.values())
    said = [sum(seconds.values()) / wall for _, wall, seconds in wholes]
    rows = [f"| {stage} | {seconds:.2f} |" for stage, seconds in least.items()]
    rows += [f"| sum | {total:.2f} |", f"| whole | {cpu:.2f} ({cpu / total:.2f} of the sum) |"]
    end = f"\n\nOf the time on the clock {min(said):.0%} to {max(said):.0%} lie in the stages of the report."
    return "\n".join(["| stage | CPU s |", "|---|--:|", *rows]) + end


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    parser.add_argument("--model", default="onnx_mnist_torch25", help="its name there (%(default)s)")
    parser.add_argument("--samples", type=int, default=10_000, help="test samples (%(default)s)")
    parser.add_argument("--steps", type=int, default=32, help="time steps (%(default)s)")
    parser.add_argument("--batch", type=int, default=100, help="samples in a batch (%(default)s)")
    parser.add_argument("--times", type=int, default=2, help="runs, of which the least counts (%(default)s)")
    parser.add_argument("--stages-of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.stages_of is not None:
        print(json.dumps(stages(given.stages_of)))
        return
    if given.zoo is None:
        parser.error("--zoo FOLDER says where the model is")
    from zoo import load_zoo

    with tempfile.TemporaryDirectory() as folder:
        sample = load_zoo(Path(given.zoo)).sample(given.model, given.samples)
        config = prepared(Path(folder), sample, given.samples, given.steps, given.batch)
        runs = [(whole(config), own(config)) for _ in range(given.times)]
    print(f"{given.model}, {given.samples} samples, {given.steps} steps, batches of {given.batch}\n")
    print(table(*zip(*runs, strict=True)))


if __name__ == "__main__":
    main()
