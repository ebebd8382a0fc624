(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const wear = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  wear(remembered());

  const themeButton = () => {
    const button = document.getElementById("theme");
    const said = button.querySelector("span");
    const show = () => { said.textContent = root.dataset.theme || "system"; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
      wear(next);
      try { localStorage.setItem("theme", next); } catch { /* storage is off: the choice holds for this page */ }
      show();
    });
  };

  const standings = (table) => {
    const body = table.tBodies[0];
    const headers = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    const order = new Map(rows.map((row, i) => [row, i]));
    const words = new Map(rows.map((row) => [row, `${row.cells[1].textContent} ${row.dataset.licence}`.toLowerCase()]));
    const status = document.getElementById("shown");
    const filters = ["words", "licence", "status"].map((id) => document.getElementById(id));
    let sorted = "";

    const worth = (row, column, numeric) => {
      const cell = row.cells[column];
      const text = cell.dataset.v ?? (numeric ? "" : cell.textContent.trim());
      return numeric ? (text === "" ? null : Number(text)) : text;
    };
    const sort = (column) => {
      const header = headers[column];
      const numeric = header.dataset.kind === "number";
      const first = header.dataset.best || "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = header.getAttribute("aria-sort") === first ? other : first;
      const sign = direction === "ascending" ? 1 : -1;
      const compare = (a, b) => {
        const x = worth(a, column, numeric), y = worth(b, column, numeric);
        if (x === null || y === null) return (x === null) - (y === null) || order.get(a) - order.get(b);
        const apart = numeric ? x - y : x.localeCompare(y, "en", { numeric: true, sensitivity: "base" });
        return sign * apart || order.get(a) - order.get(b);
      };
      for (const each of headers) each.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", direction);
      body.append(...rows.toSorted(compare));
      sorted = `, sorted by ${header.querySelector("button").textContent}, ${direction}`;
      tell();
    };
    const tell = () => {
      const left = rows.filter((row) => !row.hidden).length;
      status.textContent = `${left} of ${rows.length} entries shown${sorted}`;
      document.getElementById("none").hidden = left > 0;
    };
    const filter = () => {
      const [typed, licence, wanted] = filters.map((field) => field.value);
      const parts = typed.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        row.hidden = !(parts.every((part) => words.get(row).includes(part))
          && (!licence || row.dataset.licence === licence)
          && (!wanted || row.dataset.status.split(" ").includes(wanted)));
      }
      tell();
    };
    const column = document.getElementById("column");
    const pick = () => {
      const first = headers.length - (column.options.length - 1);
      for (const row of table.rows) {
        for (const [i, cell] of [...row.cells].entries()) {
          cell.classList.toggle("away", column.value !== "all" && i >= 2 && i !== first + Number(column.value));
        }
      }
    };

    headers.forEach((header, i) => {
      const label = header.querySelector(".head");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = label.textContent;
      label.replaceWith(button);
      button.addEventListener("click", () => sort(i));
    });
    filters[0].addEventListener("input", filter);
    filters[1].addEventListener("change", filter);
    filters[2].addEventListener("change", filter);
    column.addEventListener("change", pick);
    document.querySelector(".controls").hidden = false;
    pick();
    filter();
  };

  document.addEventListener("DOMContentLoaded", () => {
    themeButton();
    const table = document.getElementById("standings");
    if (table) standings(table);
  });
})();
