"use strict";
// Sorts, filters and enlarges, and switches between light and dark. Without it the page shows everything, in the papers' order.
const ORDERS = ["ascending", "descending", "none"];

function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.classList.contains("unsorted")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = ORDERS[(ORDERS.indexOf(heading.getAttribute("aria-sort")) + 1) % ORDERS.length];
      for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", order);
      body.append(...(order === "none" ? original : sorted(original, heading.cellIndex, order)));
    });
  }
}

function sorted(rows, column, order) {
  const text = (row) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const numeric = rows.some((row) => row.cells[column].dataset.sort !== undefined);
  const sign = order === "ascending" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [text(a), text(b)];
    if (!x || !y) return !x - !y; // missing values come last in both directions
    return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
  });
}

function makeFilters(group) {
  const rows = [...document.getElementById(group.dataset.for).tBodies[0].rows];
  const buttons = [...group.querySelectorAll("button")];
  const show = (chosen) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button === chosen);
    const wanted = chosen.dataset.show;
    for (const row of rows) {
      const kind = row.dataset.verdict;
      row.hidden = !(wanted === "all" || (wanted === "measured" ? !["not run", "as published"].includes(kind) : kind === wanted));
    }
  };
  for (const button of buttons) button.addEventListener("click", () => show(button));
  show(buttons.find((button) => button.dataset.show === "measured") ?? buttons[0]);
  group.hidden = false;
}

function makeEnlargeable(button, dialog) {
  button.addEventListener("click", () => {
    const [small, large] = [button.querySelector("img"), dialog.querySelector("img")];
    large.src = small.src;
    large.alt = small.alt;
    dialog.querySelector("p").textContent = small.alt;
    dialog.showModal();
  });
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded && !folded.open) {
    folded.open = true;
    target.scrollIntoView();
  }
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll(".filters").forEach(makeFilters);

const dialog = document.getElementById("enlarged");
document.querySelectorAll(".enlarge").forEach((button) => makeEnlargeable(button, dialog));
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

const theme = document.getElementById("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => (theme.textContent = isDark() ? "Light" : "Dark");
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
systemDark.addEventListener("change", nameTheme);
nameTheme();
theme.hidden = false;

addEventListener("hashchange", openTarget);
openTarget();
