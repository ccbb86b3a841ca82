"""The report: what the page shows, which input it survives, and how it behaves in a browser."""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.errors import UserError
from common.evaluation.intervals import wilson
from common.files import write_json
from results.audit.check import audit_paper
from results.compare import compare
from results.headlines import headlines
from results.report.__main__ import main
from results.report.cards import read_card
from results.report.cross_page import CLEAN, read_scores
from results.report.page import build_page, deviation, number, signed
from results.report.rows import bar, page_rows
from results.report.run_figures import caption, newest_run, newest_runs
from results.tables import known_papers, read_published, reference_folder, upsert

PAPER = "mesoinception_svm"
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>" onmouseover="x'
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync", "--enable-logging=stderr", "--v=0"),
    *("--virtual-time-budget=20000", "--dump-dom"),
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome")


def result(**changes):
    values = {
        "paper": PAPER, "table": "Table 6", "row": "Mesonet", "metric": "auc", "value": 0.8, "ci_low": 0.79,
        "ci_high": 0.81, "n": 7104, "dataset": "deepfake", "protocol": "official", "preset": "paper", "seed": 0,
        "run": "paper-1", "commit": "abc", "note": "",
    }  # fmt: skip
    return values | changes


def score(**changes):
    """A row of cross.csv."""
    values = {
        "paper": PAPER, "run": "paper-1", "model": "meso4", "trained_on": "deepfake", "dataset": "deepfake",
        "protocol": "video", "seed": 0, "perturbation": "none", "strength": "", "level": "frame", "metric": "auc",
        "value": 0.91, "ci_low": 0.9, "ci_high": 0.92, "n": 500, "note": "",
    }  # fmt: skip
    return values | changes


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The same folders for tests that change nothing."""
    return write_folders(tmp_path_factory.mktemp("unchanged"))


@pytest.fixture(scope="module")
def page(unchanged):
    return build_page(*unchanged)


def write_folders(tmp_path):
    """(results, runs) with rows of several verdicts, a hostile note, two runs, and the tables of results.cross."""
    results, runs = tmp_path / "results", tmp_path / "runs"
    rows = [
        result(),
        result(row="Mesoinception4", value=0.95, ci_low=0.94, ci_high=0.96),
        result(metric="accuracy", value=0.6416, ci_low=0.63, ci_high=0.65, note=HOSTILE),
        result(metric="accuracy", value=0.99, dataset="synthetic-swap", preset="quick"),
        result(table="Table 7", value=0.7, seed=0),
        result(table="Table 7", value=0.8, seed=1),
    ]
    upsert(rows, results / f"{PAPER}.csv")
    crossed = [score(), score(dataset="celebdf", value=0.4, note=HOSTILE), score(dataset="synthetic-swap")]
    crossed.append(score(model="meso4_drawn", trained_on="deepfake+synthetic-swap"))
    pd.DataFrame(crossed).to_csv(results / "cross.csv", index=False)
    worn = [score(perturbation="jpeg", strength=s, value=v) for s, v in (("30", 0.6), ("90", 0.9), ("50", 0.7))]
    pd.DataFrame([score(), *worn]).to_csv(results / "robustness.csv", index=False)
    for name, started, width in (("a", "2026-01-01T00:00:00", 40), ("b", "2026-02-01T00:00:00", 2000)):
        folder = runs / PAPER / name
        about = {"started": started, "finished": started, "data": {"synthetic-swap": "0"}, "devices": ["CPU"]}
        write_json(about | {"commit": "abc"}, folder / "environment.json")
        (folder / "figures").mkdir()
        Image.new("RGB", (width, 30), "teal").save(folder / "figures" / f"figure_06_roc-{name}.png")
    return results, runs


class Tables(HTMLParser):
    """{id: rows of cells (text, attributes)} of the page's tables with an id; small print is left out of the text."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.rows, self.cell, self.small = {}, None, None, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.rows = self.tables.setdefault(attributes.get("id", ""), [])
        elif tag == "tr" and self.rows is not None:
            self.rows.append(([], attributes))
        elif tag in ("td", "th") and self.rows:
            self.cell = [[], attributes]
        self.small = self.small or tag == "small"

    def handle_data(self, data):
        if self.cell and not self.small:
            self.cell[0].append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell:
            self.rows[-1][0].append(("".join(self.cell[0]).strip(), self.cell[1]))
            self.cell = None
        self.small = self.small and tag != "small"


def test_the_numbers_are_those_of_compare(page, unchanged):
    """Every cell of every paper's tables against the frame that compare returns: metrics, counts; sizes, settings."""
    tables = Tables(page).tables
    for paper, compared in compare((), unchanged[0]).groupby("paper"):
        heading, *scores = tables[f"{paper}-table"]
        names = [text for text, _ in heading[0]]
        published = read_published(paper)[["table", "row", "metric", "kind"]]
        kinds = compared.merge(published, how="left")["kind"].ffill()  # a joint test has none
        parts = [compared[(kinds == kind).to_numpy()] for kind in ("metric", "count", "size", "setting")]
        assert len(scores) == len(parts[0]) + len(parts[1])
        rows, expected = scores + tables[f"{paper}-sizes-table"][1:], pd.concat(parts)
        assert len(rows) == len(expected) == len(compared)
        for (cells, attributes), one in zip(rows, expected.itertuples(), strict=True):
            cell = dict(zip(names, cells, strict=True))
            assert (cell["Table"][0], cell["Row"][0]) == (one.table, one.row)
            for name, value in (("Published", one.published), ("Ours", one.value), ("Difference", one.difference)):
                sorted_by = cell[name][1]["data-sort"]
                assert float(sorted_by or "nan") == value or (sorted_by == "" and pd.isna(value))
                shown = cell[name][0].split(" ")[0].replace(",", "").replace("\u2212", "-")
                assert shown == "" if pd.isna(value) else float(shown) == pytest.approx(value, abs=5.1e-5)
            assert attributes["data-verdict"] == one.verdict.partition(":")[0]
            assert cell["Verdict"][0] == one.verdict.partition(":")[0]


@pytest.mark.slow
def test_whole_numbers_are_printed_as_such(tmp_path):
    """500, 498 and 504 images have the mean 500.6667 and the deviation 3.0551; a share is never whole."""
    published = read_published("siamese_triplet").query("kind == 'size' and value == value.round() and value > 400")
    table, row, metric = published.iloc[0][["table", "row", "metric"]]
    about = {"paper": "siamese_triplet", "table": table, "row": row, "metric": metric, "ci_low": "", "ci_high": ""}
    upsert([result(**about, value=v, seed=s) for s, v in enumerate((500, 498, 504))], tmp_path / "siamese_triplet.csv")
    (one,) = [row for row in page_rows(compare(["siamese_triplet"], tmp_path))[0] if row.value > 1]
    assert one.whole and one.number_kind == "size"
    assert (number(one.value, one.metric, one.whole), deviation(one.sd, 3, one.whole)) == ("501", "sd 3 over 3 seeds")
    assert signed(one.difference, one.whole) == f"\u2212{published['value'].iloc[0] - 500.6667:,.0f}"
    page = build_page(tmp_path, tmp_path)
    assert ">501<small>sd 3 over 3 seeds" in page and "500.6667" not in page
    assert page.index('id="siamese_triplet"') < page.index('id="cffn_resnet"'), "what was run comes first"


@pytest.mark.slow
def test_the_page_opens_with_the_runs_of_the_user(tmp_path):
    """Their numbers come before those of the reference rows, also of papers that are first in the alphabet."""
    own = result(table="Table 4", row="accuracy", metric="accuracy", run="paper-7")
    upsert([own, own | {"dataset": "combined"}], tmp_path / f"{PAPER}.csv")
    page = build_page(tmp_path, tmp_path, reference=reference_folder())
    runs, numbers = (page.index(f"<h3>{title}</h3>") for title in ("Your runs", "Headline numbers"))
    listed, table = page[runs:numbers], page[numbers : page.index("<h3>Verdicts</h3>")]
    assert listed.count("<li>") == 1 and "paper-7" in listed and "official on combined, deepfake" in listed
    assert table.count(", your runs</small>") == 2 and ", reference</small>" in table
    assert table.rindex(", your runs</small>") < table.index(", reference</small>")


def test_seeds_are_one_row_with_mean_and_deviation(page):
    deviation = np.std([0.7, 0.8], ddof=1)
    assert f"sd {deviation:.4f} over 2 seeds" in page and "seeds 0 1" in page
    assert re.search(r">0\.7500<small>0\.1134 to 1\.0000</small><small>sd", page)  # t(1) sd / sqrt 2 = 0.635 down


@pytest.mark.slow
def test_the_summary_counts_claims_and_contradictions(page, unchanged):
    compared = compare((), unchanged[0])
    heading, *rows = Tables(page).tables[""][: len(known_papers()) + 1]
    names = [text for text, _ in heading[0]]
    for cells, _ in rows:
        cell = {name: text for name, (text, _) in zip(names, cells, strict=True)}
        own = compared[(compared["paper"] == cell["Paper"]) & (compared["claim"] != "")]
        assert int(cell["Claims"]) == own["claim"].nunique()
        kinds = {claim: {one.partition(":")[0] for one in rows["verdict"]} for claim, rows in own.groupby("claim")}
        for name in names[2:-2]:
            assert int(cell[name]) == sum(name.lower() in found for found in kinds.values())
        assert int(cell["Not run"]) == sum(found == {"not run"} for found in kinds.values())
        contradictions = sum(finding.verdict == "contradiction" for finding in audit_paper(cell["Paper"]))
        assert int(cell["Contradictions"]) == contradictions


def test_synthetic_rows_have_a_badge_and_others_have_none(page):
    rows = re.findall(r"<tr data-verdict=.*?</tr>", page, re.DOTALL)
    for row in rows:
        assert ("synthetic-swap" in row) == ('class="badge"' in row) == ('class="synthetic"' in row)
    assert sum("synthetic-swap" in row for row in rows) == 1
    cells = re.findall(r'<td class="cell.*?</td>', page, re.DOTALL)
    assert [">synthetic<" in cell for cell in cells] == [
        False,
        False,
        True,
        True,
    ]  # celebdf, deepfake, synthetic-swap; drawn training data


def test_hostile_text_is_shown_and_not_run(page):
    assert "owned" in page and "<script>document.title" not in page and "<img src=x" not in page
    assert '" onmouseover="' not in page
    assert page.count("<script>") == 1


def test_the_page_needs_no_network(page):
    loaded = re.findall(r'<(?:img|script|link|iframe|source)[^>]*?(?:src|href)="([^"]*)"', page)
    assert loaded and all(address.startswith("data:") for address in loaded)
    assert "url(" not in page and "@import" not in page


@pytest.mark.slow
def test_same_input_same_bytes(page, unchanged, tmp_path):
    results, runs = unchanged
    main(
        ["--results", str(results), "--runs", str(runs), "--no-reference", "--output", str(tmp_path / "new" / "r.html")]
    )
    assert (tmp_path / "new" / "r.html").read_bytes() == page.encode()


@pytest.mark.slow
def test_the_page_is_written_into_the_folder_of_the_results(folders, capsys):
    main(["--results", str(folders[0]), "--runs", str(folders[1])])
    assert (folders[0] / "report.html").stat().st_size > 10_000
    assert capsys.readouterr().out.startswith(f"written: {folders[0] / 'report.html'} (")


@pytest.mark.slow
def test_without_measurements_the_page_names_the_commands(tmp_path):
    page = build_page(tmp_path, tmp_path / "no_runs")
    for command in ("python reproductions/PAPER/run.py", "python -m results.cross RUN", "--robustness"):
        assert command in page
    assert page.count("No run of this paper") == len(known_papers())


@pytest.mark.slow
def test_wrong_input_is_refused(folders, tmp_path):
    results, runs = folders
    with pytest.raises(UserError, match="no such folder"):
        build_page(tmp_path / "absent", runs)
    (results / "cross.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"cross\.csv: expected the columns"):
        build_page(results, runs)
    command = [sys.executable, "-m", "results.report", "--results", tmp_path / "absent"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1


def test_the_newest_finished_run_is_shown(folders):
    _, runs = folders
    assert newest_run(PAPER, runs).name == "b"
    assert newest_run(PAPER, runs).figures[0].width == 1600
    write_json({"started": "2026-03-01T00:00:00"}, runs / PAPER / "c" / "environment.json")
    assert newest_run(PAPER, runs).name == "b"
    assert newest_run("siamese_triplet", runs) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"synthetic-swap": "0"}, True), ({"synthetic-swap": "0", "weights of meso4": "1"}, True), ({"dfdc": "0"}, False)],
)
def test_the_figures_of_a_run_on_drawn_data_have_a_badge(tmp_path, data, expected):
    """Also if the run started from given weights, which are among its inputs."""
    write_json({"started": "", "data": data}, tmp_path / PAPER / "a" / "environment.json")
    assert newest_run(PAPER, tmp_path).synthetic == expected


@pytest.mark.parametrize("dataset", ["synthetic-swap", "celebdf+synthetic-swap", "celebdf against synthetic-swap"])
def test_a_row_on_partly_drawn_data_is_synthetic(folders, dataset):
    upsert([result(dataset=dataset)], folders[0] / f"{PAPER}.csv")
    rows, _ = page_rows(compare([PAPER], folders[0]).query("dataset == @dataset and metric == 'auc'"))
    assert [(row.synthetic, row.kind) for row in rows] == [(True, "not comparable")]


@pytest.mark.slow
def test_a_damaged_figure_is_named(folders):
    results, runs = folders
    (runs / PAPER / "b" / "figures" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    page = build_page(results, runs)
    assert "<code>broken.png</code>" in page and "roc, b" in page


def test_heavy_figures_are_made_smaller(tmp_path, monkeypatch):
    """Noise does not compress: what is too large at a width of 1600 and 1200 pixels is shown at 800."""
    monkeypatch.setattr("results.report.run_figures.MAX_TOTAL_BYTES", 150_000)
    noise = np.random.default_rng(0).integers(0, 256, (300, 1600, 3), dtype=np.uint8)
    (tmp_path / PAPER / "a" / "figures").mkdir(parents=True)
    Image.fromarray(noise).save(tmp_path / PAPER / "a" / "figures" / "noise.png")
    write_json({"started": ""}, tmp_path / PAPER / "a" / "environment.json")
    (figure,) = newest_runs([PAPER], tmp_path)[PAPER].figures
    assert (figure.width, figure.height) == (800, 150)


def test_headlines_are_published_numbers_beside_ours(tmp_path):
    """Figure 10 prints 29419, 81, 32 and 29468, so the accuracy is 58887 / 59000."""
    paper = "dcgan_inception_resnet"
    about = {"paper": paper, "table": "Figure 10", "row": "Inception-ResNet-v2", "metric": "accuracy"}
    low, high = wilson(8, 10)
    upsert([result(**about, value=0.8, ci_low=low, ci_high=high, n=10)], tmp_path / f"{paper}.csv")
    found = headlines(compare((), tmp_path))
    assert len(set(found["paper"])) >= 5 and set(found["paper"]) <= set(known_papers())  # a sixth may have none
    (matrix,) = found[found["paper"] == paper].itertuples()
    assert (matrix.published, matrix.value, matrix.n) == (pytest.approx(58887 / 59000, abs=5e-7), 0.8, 10)
    for one in found[found["paper"] != paper].itertuples():
        published = read_published(one.paper).set_index(["table", "row", "metric"])["value"]
        assert published[one.table, one.row, one.metric] == one.published
        assert one.verdict == "not run"


def test_a_bar_is_drawn_to_scale():
    row = {"metric": "auc", "published": 0.5, "value": 0.75, "ci_low": 0.25, "ci_high": 1.0}
    drawn = bar(row)
    assert (drawn.low, drawn.published, drawn.value, drawn.high, drawn.zero) == (35, 65, 95, 125, None)
    drawn = bar(row | {"metric": "kappa", "ci_low": -1.0})
    assert (drawn.low, drawn.zero, drawn.value) == (5, 65, 110)
    assert bar(row | {"value": np.nan}) is None
    assert bar(row | {"metric": "epochs", "ci_low": np.nan, "ci_high": np.nan}) is None


def test_curves_go_from_clean_to_strong(page):
    """The file has JPEG 30, 90, 50, the page 90, 50, 30; AUC 0.91, 0.9, 0.7, 0.6 falls from left to right."""
    section = page[page.index('id="robustness"') :]
    points = re.search(r'class="curve" points="([^"]+)"', section)[1].split()
    x, y = np.array([point.split(",") for point in points], float).T
    assert (np.diff(x) > 0).all() and (np.diff(y) > 0).all()
    ticks = re.findall(r'class="tick"[^>]*middle">([^<]+)<', section)
    assert ticks == [CLEAN, "90", "50", "30"]


def test_cross_seeds_are_averaged_and_runs_are_not(tmp_path):
    rows = [score(value=0.8), score(value=0.9, seed=1), score(value=0.1, run="quick-1")]
    pd.DataFrame(rows).to_csv(tmp_path / "cross.csv", index=False)
    table = read_scores(tmp_path / "cross.csv").set_index("run")
    assert dict(table["value"]) == {"paper-1": pytest.approx(0.85), "quick-1": 0.1}
    assert table.loc["paper-1", "seeds"] == "0 1"


def test_a_card_stands_alone(tmp_path):
    (tmp_path / "p").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "p" / "a.png")
    lead = "Lead <b>x</b> [local](../x.md) [far](https://d.org) ![shown](a.png) ![gone](b.png)"
    (tmp_path / "p" / "README.md").write_text(
        f"# Title\n\n{lead}\n\n<!-- results: p;\n   metrics=auc -->\n\n## Run it\n\n    go\n"
    )
    card = read_card("p", tmp_path)
    assert (card.title, list(card.sections)) == ("Title", ["Run it"])
    assert "&lt;b&gt;" in card.lead and "../x.md" not in card.lead and 'href="https://d.org"' in card.lead
    assert 'src="data:image/' in card.lead and "b.png" not in card.lead and "gone" in card.lead
    assert "go" in card.sections["Run it"] and "metrics" not in card.lead
    assert read_card("absent", tmp_path).title == "absent"
    for paper in known_papers():
        card = read_card(paper)
        assert {"Run it", "Differences from the paper"} <= set(card.sections)
        assert not any("&lt;!--" in html for html in (card.lead, *card.sections.values()))


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("figure_07_accuracy", "Figure 7: accuracy"),
        ("figure_09_roc-video-seed1", "Figure 9: roc, video, seed 1"),
        ("figure_03d_confusion", "Figure 3d: confusion"),
        ("figure_10", "Figure 10"),
        ("samples_over_epochs", "samples over epochs"),
    ],
)
def test_captions(stem, expected):
    assert caption(stem) == expected


def test_numbers_for_reading():
    assert [number(54339810, "parameters"), number(0.5, "auc")] == ["54,339,810", "0.5000"]
    assert [number(9.5, "fp"), number(1.0, "recall"), number(np.nan)] == ["9.5", "1.0000", ""]
    assert [signed(-0.1), signed(0.25), signed(-4888.0), signed(0.0)] == ["\u22120.1000", "+0.2500", "\u22124,888", "0"]


CAPTURE = """<script>
var problems = []; addEventListener("error", (e) => problems.push(String(e.message)));
addEventListener("securitypolicyviolation", (e) => problems.push(e.violatedDirective));
</script>"""
PROBE = """<script>
addEventListener("load", async () => {
  const found = {}, table = document.getElementById("PAPER-table");
  const heading = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === "Published");
  const column = (place) => [...table.tBodies[0].rows].map((row) => row.cells[place].textContent.trim());
  const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.dataset.verdict);
  const published = () => column(heading.cellIndex).map((text) => text.replaceAll(",", ""));
  found.orders = [published()];
  found.aria = [];
  for (let click = 0; click < 3; click++) {
    heading.querySelector("button").click();
    found.orders.push(published());
    found.aria.push(heading.getAttribute("aria-sort"));
  }
  const names = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === "Table");
  names.querySelector("button").click();
  found.names = column(names.cellIndex);
  found.first = shown();
  const group = document.querySelector(`[data-for="PAPER-table"]`);
  const verdicts = [...group.querySelectorAll("button")].map((button) => button.dataset.show);
  found.chosen = verdicts.find((name) => !["all", "measured", "not run"].includes(name));
  group.querySelector(`[data-show="${found.chosen}"]`).click();
  found.kinds = [...new Set(shown())];
  found.pressed = [...group.querySelectorAll('[aria-pressed="true"]')].map((button) => button.dataset.show);
  group.querySelector('[data-show="all"]').click();
  found.all = shown().length;
  const images = [...document.querySelectorAll("main img")];
  images.forEach((image) => (image.loading = "eager"));
  await Promise.all(images.map((image) => image.decode().catch(() => null)));
  found.images = images.map((image) => image.naturalWidth);
  found.alts = images.every((image) => image.alt);
  document.querySelector("figure .enlarge").click();
  found.dialog = document.querySelector("dialog").open;
  document.querySelector("dialog button").click();
  found.closed = !document.querySelector("dialog").open;
  const background = () => getComputedStyle(document.body).backgroundColor;
  found.themes = [background()];
  document.getElementById("theme").click();
  found.themes.push(background());
  const note = document.querySelector(".notes li");
  location.hash = note.id;
  await new Promise((done) => setTimeout(done, 200));
  found.unfolded = note.closest("details").open;
  found.problems = problems;
  document.documentElement.dataset.found = JSON.stringify(found);
});
</script>"""


WIDTHS = (320, 390, 768, 1400)
FRAMES = """<!doctype html><body><script>
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const inside = frame.contentDocument;
    inside.querySelectorAll("details").forEach((one) => (one.open = true));
    found[frame.width] = [inside.documentElement.scrollWidth, inside.querySelector(".comparison").scrollWidth];
  }
  document.documentElement.dataset.found = JSON.stringify(found);
});
</script>"""


def browse(text, folder):
    """What a script in the page `text` wrote into the attribute data-found, and the lines of the console."""
    file = folder / "page.html"
    file.write_text(text)
    with tempfile.TemporaryDirectory() as profile:
        command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--window-size=1400,1000", file.as_uri()]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'data-found="([^"]*)"', ended.stdout)
    assert found, ended.stderr
    return json.loads(html.unescape(found[1])), [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@needs_browser
def test_in_a_browser(page, tmp_path):
    probed = page.replace("<style>", CAPTURE + "<style>", 1).replace(
        "</body>", PROBE.replace("PAPER", PAPER) + "</body>"
    )
    found, console = browse(probed, tmp_path)
    assert not console and not found["problems"]
    original, up, down, again = found["orders"]
    assert found["aria"] == ["ascending", "descending", "none"]
    numbers = [float(text) for text in original]
    assert [float(text) for text in up] == sorted(numbers)
    assert [float(text) for text in down] == sorted(numbers, reverse=True)
    assert again == original and original != up
    assert found["names"] == sorted(found["names"], key=lambda name: (name == "text", name))
    assert found["first"] and "not run" not in found["first"]
    assert found["kinds"] == found["pressed"] == [found["chosen"]]
    assert found["all"] == len(numbers)
    assert found["images"] and min(found["images"]) > 0 and found["alts"]
    assert found["dialog"] and found["closed"] and found["unfolded"]
    assert found["themes"][0] != found["themes"][1]


@pytest.mark.slow
@needs_browser
def test_the_page_never_scrolls_sideways(page, tmp_path):
    """At the widths of a small phone to a desktop, with everything unfolded. On a phone the rows of a comparison are
    cards; on a tablet the table scrolls."""
    frames = [f'<iframe width="{width}" height="900" srcdoc="{html.escape(page)}"></iframe>' for width in WIDTHS]
    found, _ = browse(FRAMES + "".join(frames), tmp_path)
    for width in WIDTHS:
        page_width, table_width = found[str(width)]
        assert page_width <= width
        assert table_width <= width or width == 768
