"""Figures 5 to 10 of the paper, the losses of all epochs, and the fixed noise over them as a grid and as a GIF."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from common.evaluation.figures import CURVE_COLOURS, confusion_figure, history_figure, new_figure, save_figure
from common.files import atomic_path
from common.runs.folder import Run
from reproductions.dcgan_inception_resnet.config import PROTOCOLS
from reproductions.dcgan_inception_resnet.data import GeneratedData, fake_groups
from reproductions.dcgan_inception_resnet.dcgan import LOSSES
from reproductions.dcgan_inception_resnet.gan import generate
from reproductions.dcgan_inception_resnet.gan_training import SAMPLES
from reproductions.splitting import Split

COLUMNS = 10  # epochs in a row of the figure of all losses
ROWS = 10  # epochs that the grid shows
GRID = 8  # faces in a row and in a column of Figure 8
SCALE = 2  # pixels of the GIF for one of the image


def draw_figures(splits: Sequence[Split], generated: GeneratedData, run: Run) -> None:
    """Write the figures that one seed has the data for into the run's figures/.

    Args:
        splits: the protocols of the seed, with their predictions; the first one with the histories.
        generated: of stage 1.
        run: the run's folder.
    """
    if generated.losses is not None:
        _draw_training(generated, run)
    if generated.generator is not None:
        faces = np.concatenate(list(generate(generated.generator, GRID * GRID, splits[0].seed)))
        _pictures(faces, GRID, run.path("figures", "figure_08_generated.png"), "Figure 8: generated faces")
    histories = {name: history for name, history in splits[0].histories.items() if "val_accuracy" in history}
    for quantity in ("accuracy", "loss") if histories else ():
        history_figure(histories, quantity, run.path("figures", f"figure_09_{quantity}.png"), f"Figure 9: {quantity}")
    measured = pd.concat(_measured(split, generated) for split in splits)
    confusion_figure(measured, run.path("figures", "figure_10_confusion.png"), "Figure 10: confusion matrices")


def _draw_training(generated, run):
    """Draw Figures 5 to 7, and the fixed noise over the epochs."""
    losses = generated.losses
    strips = {epoch: _pixels(generated.samples / f"epoch-{epoch:04d}.png") for epoch in losses["epoch"].unique()}
    last, tenth = max(strips), min(10, max(strips))
    samples = np.stack(np.split(strips[tenth], SAMPLES, axis=1))  # (5, S, S, 3)
    _pictures(samples, 1, run.path("figures", "figure_05_samples.png"), f"Figure 5: samples, epoch {tenth}")
    for number, epoch in ((6, min(strips)), (7, last)):
        file = run.path("figures", f"figure_{number:02d}_loss_epoch_{epoch:02d}.png")
        _loss_figure(losses[losses["epoch"] == epoch], file, f"Figure {number}: loss, epoch {epoch}")
    _losses_figure(losses, run.path("figures", "losses_of_all_epochs.png"))
    _over_epochs(strips, run.path("figures", "samples_over_epochs.png"))
    _animate(strips, run.path("figures", "samples_over_epochs.gif"))


def _measured(split, generated):
    """The predictions that a protocol measures, named by model and protocol: reals, and the first generator's fakes.

    Without any generated images it is all fakes, of whatever generator.
    """
    table = split.table()
    own = list(generated.groups.values())[:1] or list(fake_groups(table, {}).values())
    table = table[table["split"].isin(PROTOCOLS[split.protocol])]
    table = table[(table["label"] == "real") | table["dataset"].isin(own)]
    return table.assign(model=table["model"] + ", " + split.protocol)


def _loss_figure(losses, path, title):
    figure, axes = new_figure(width=5.2, height=3.6, title=title)
    for colour, name in zip(CURVE_COLOURS, LOSSES, strict=False):
        axes[0, 0].plot(losses["batch"], losses[name], color=colour, linewidth=1, label=name.replace("_", "'s ", 1))
    axes[0, 0].set_xlabel("batch", fontsize=9)
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("sigmoid cross-entropy", fontsize=9)
    axes[0, 0].legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def _losses_figure(losses, path):
    """Draw a small panel for each epoch, with both losses by batch: Sec. IV-C plots them after every epoch."""
    epochs = list(losses.groupby("epoch"))
    columns = min(COLUMNS, len(epochs))
    rows = -(-len(epochs) // columns)
    figure, axes = new_figure(rows, columns, max(1.1, 4.0 / columns), 0.95, "Losses of all epochs, by batch")
    highest = losses[LOSSES].quantile(0.995).max()
    for axis, panel in zip(axes.flat, [*epochs, *[None] * (axes.size - len(epochs))], strict=True):
        if panel is None:
            axis.set_visible(False)
            continue
        epoch, of_epoch = panel
        for colour, name in zip(CURVE_COLOURS, LOSSES, strict=False):
            axis.plot(of_epoch["batch"], of_epoch[name], color=colour, linewidth=0.6, label=name.replace("_", "'s ", 1))
        axis.set_ylim(0, 1.05 * highest)
        axis.set_title(f"epoch {epoch}", fontsize=6, pad=2)
        axis.tick_params(labelsize=5, length=2, labelleft=axis in axes[:, 0])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return save_figure(figure, path)


def _pictures(images, rows, path, title):
    """Draw uint8 (n, S, S, 3) as a grid with a number of rows."""
    columns = len(images) // rows
    grid = np.concatenate([np.concatenate(list(images[i * columns : (i + 1) * columns]), axis=1) for i in range(rows)])
    figure, axes = new_figure(width=max(3.2, 0.75 * columns), height=max(1.0, 0.75 * rows), title=title)
    axes[0, 0].imshow(grid, interpolation="nearest")
    axes[0, 0].set_axis_off()
    return save_figure(figure, path)


def _over_epochs(strips, path):
    """Draw a grid. Rows: epochs, evenly spaced up to the last; columns: the fixed noise."""
    epochs = list(strips)
    shown = [epochs[place] for place in np.unique(np.linspace(0, len(epochs) - 1, ROWS).round().astype(int))]
    figure, axes = new_figure(len(shown), 1, 0.9 * SAMPLES, 0.86, "The same noise after some epochs")
    for axis, epoch in zip(axes[:, 0], shown, strict=True):
        axis.imshow(strips[epoch], interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        axis.set_ylabel(str(epoch), fontsize=8, rotation=0, ha="right", va="center")
    return save_figure(figure, path)


def _animate(strips, path):
    frames = [
        Image.fromarray(strip).resize((strip.shape[1] * SCALE, strip.shape[0] * SCALE), Image.Resampling.NEAREST)
        for strip in strips.values()
    ]
    with atomic_path(path) as temporary:
        durations = [200] * (len(frames) - 1) + [2000]  # milliseconds
        frames[0].save(temporary, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
